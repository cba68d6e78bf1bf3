// SPDX-License-Identifier: MIT
// What a viewer sees and hears, read from the page: which picture is on the screen, which beep sounds, where playback stands and whether it stood still.
import './picture.js';

const video = document.getElementById('video');
const {readPicture} = window;

// ---- events ----
const counts = {waiting: 0};
let settled = false; // playing, and no seek or change of track that we asked for is under way
video.addEventListener('seeking', () => { settled = false; clocks.length = 0; });
video.addEventListener('playing', () => { settled = true; });
video.addEventListener('waiting', () => { if (settled && !video.seeking && !video.ended) counts.waiting++; });

const once = (target, event) => new Promise((resolve) => target.addEventListener(event, resolve, {once: true}));

// Resolves as soon as done() is true; looks each time the browser draws. (Not every change has an event: cues that arrive have none.)
function until(done) {
  return new Promise((resolve) => {
    const look = () => { if (done()) resolve(); else requestAnimationFrame(look); };
    look();
  });
}

// ---- pictures ----
// The next picture that is put on the screen: {mediaTime, currentTime, number, flash}.
const nextPicture = async (clip) => ({...(await window.nextPicture(video, clip)), currentTime: video.currentTime});

// The next ones: so many, or all until a promise is kept.
async function pictures(clip, count, until = new Promise(() => {})) {
  const seen = [];
  const over = until.then(() => null);
  while (seen.length < count) {
    const picture = await Promise.race([nextPicture(clip), over]);
    if (!picture) break;
    seen.push(picture);
  }
  return seen;
}

// ---- sound ----
let audio = null;
const beeps = [];
const clocks = []; // differences between the picture's clock and the sound's, read at the same moment

async function listen() {
  audio = new AudioContext();
  await audio.audioWorklet.addModule('onset.js');
  const node = new AudioWorkletNode(audio, 'onset');
  node.port.onmessage = ({data}) => beeps.push(data);
  const source = audio.createMediaElementSource(video);
  source.connect(node).connect(audio.destination);
  const tick = () => {
    if (!video.paused && !video.seeking) clocks.push({at: audio.currentTime, difference: video.currentTime - audio.currentTime});
    video.requestVideoFrameCallback(tick);
  };
  tick();
  await audio.resume();
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

// The next whole beep: its pitch, and when it began on the video's clock.
async function nextBeep() {
  const known = beeps.length;
  await until(() => beeps.length > known || video.ended);
  if (beeps.length <= known) return null;
  const beep = beeps[known];
  await until(() => clocks.some(({at}) => at > beep.at + 0.2) || video.ended);
  const near = clocks.filter(({at}) => Math.abs(at - beep.at) < 0.5).map(({difference}) => difference);
  return {hertz: beep.hertz, mediaTime: beep.at + median(near)};
}

// ---- places ----
// Resolves with the picture that the browser shows for that time, once the seek is over.
async function seek(time, clip) {
  const sought = once(video, 'seeked');
  video.currentTime = time;
  let shown;
  do shown = await nextPicture(clip); while (shown.mediaTime > time || shown.mediaTime + 1 / clip.fps <= time);
  await sought;
  return shown;
}

async function play() {
  const playing = once(video, 'playing');
  await video.play();
  await playing;
}

const ranges = (buffered) => Array.from({length: buffered.length}, (_, i) => [buffered.start(i), buffered.end(i)]);

function state() {
  const {totalVideoFrames, droppedVideoFrames} = video.getVideoPlaybackQuality();
  return {
    currentTime: video.currentTime, duration: video.duration, paused: video.paused, ended: video.ended, readyState: video.readyState, width: video.videoWidth, height: video.videoHeight,
    buffered: ranges(video.buffered), totalVideoFrames, droppedVideoFrames, waiting: counts.waiting, error: video.error?.message ?? null,
  };
}

// ---- subtitles ----
const shownTracks = () => [...video.textTracks].filter(({mode}) => mode !== 'disabled');
const cues = () => shownTracks().flatMap((track) => [...(track.cues ?? [])].map(({startTime, endTime, text}) => ({start: startTime, end: endTime, text})));
const activeCues = () => shownTracks().flatMap((track) => [...(track.activeCues ?? [])].map(({text}) => text));

window.video = video;
window.screenOf = {once, until, readPicture, nextPicture, pictures, listen, nextBeep, seek, play, state, cues, activeCues};
