// SPDX-License-Identifier: MIT
// The clip that is published: every picture carries its number, every second begins with a flash and a beep, and each language beeps at its own pitch.
// So what a player shows and sounds can be compared with what the source has at that time.
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

export const clip = {
  width: 640, height: 360, fps: 25, seconds: 12, segmentSeconds: 2,
  // Ten squares, the lowest bit first; below each stands its complement, so that a picture that was read wrongly is noticed.
  code: {bits: 10, size: 32, left: 16, pitch: 48, top: 16, complementTop: 64},
  flash: {left: 16, top: 280, width: 64, height: 64, seconds: 0.2},
  beepSeconds: 0.2,
  audio: [{language: 'en', tag: 'eng', hertz: 1000}, {language: 'de', tag: 'deu', hertz: 1600}],
  text: {language: 'en', tag: 'eng', cues: [{start: 1, end: 2.5, text: 'One'}, {start: 3.5, end: 4.5, text: 'Across a seam'}, {start: 10, end: 11, text: 'Last'}]},
};

// The filter of FFmpeg that burns each picture's number in, and the flash of those that have one; over a film: on black.
export function codeFilter({width, fps, code, flash}) {
  const {bits, size, left, pitch, top, complementTop} = code;
  const box = (x, y, w, h, color, enable) => `drawbox=x=${x}:y=${y}:w=${w}:h=${h}:color=${color}:t=fill${enable ? `:enable='${enable}'` : ''}`;
  const boxes = [box(0, 0, width, complementTop + size + top, 'black')];
  for (let bit = 0; bit < bits; bit++) {
    const set = `gte(mod(n,${2 ** (bit + 1)}),${2 ** bit})`;
    boxes.push(box(left + bit * pitch, top, size, size, 'white', set), box(left + bit * pitch, complementTop, size, size, 'white', `not(${set})`));
  }
  if (flash) {
    boxes.push(box(0, flash.top - 16, flash.left + flash.width + 16, flash.height + 32, 'black'),
      box(flash.left, flash.top, flash.width, flash.height, 'white', `lt(mod(n,${fps}),${flash.seconds * fps})`));
  }
  return boxes.join(',');
}

const clock = (seconds) => `00:00:${String(Math.floor(seconds)).padStart(2, '0')},${String(Math.round((seconds % 1) * 1000)).padStart(3, '0')}`;

// Writes the clip to dir: MP4 as cameras and editors write it, with B-frames and edit lists. Returns its path.
export function makeClip(dir) {
  const {width, height, fps, seconds, audio, text} = clip;
  const words = join(dir, 'words.srt');
  writeFileSync(words, text.cues.map((cue, i) => `${i + 1}\n${clock(cue.start)} --> ${clock(cue.end)}\n${cue.text}\n`).join('\n'));
  const path = join(dir, 'clip.mp4');
  const beep = ({hertz}) => `aevalsrc='if(lt(mod(t,1),${clip.beepSeconds}),0.5*sin(2*PI*${hertz}*t),0)|if(lt(mod(t,1),${clip.beepSeconds}),0.5*sin(2*PI*${hertz}*t),0)':s=48000:d=${seconds}`;
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', `testsrc2=s=${width}x${height}:r=${fps}:d=${seconds}`, ...audio.flatMap((track) => ['-f', 'lavfi', '-i', beep(track)]),
    '-i', words, '-vf', codeFilter(clip), '-map', '0', '-map', '1', '-map', '2', '-map', '3', '-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '60', '-pix_fmt', 'yuv420p',
    '-c:a', 'aac', '-b:a', '96k', '-c:s', 'mov_text', ...audio.flatMap((track, i) => [`-metadata:s:a:${i}`, `language=${track.tag}`]), '-metadata:s:s:0', `language=${text.tag}`, path]);
  return path;
}
