// SPDX-License-Identifier: MIT
// One player on one manifest (MILLRACE_PLAYER) plays the published clip as a viewer would; what it shows and sounds is compared with what the clip has there.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {browse} from './browser.mjs';
import {clip} from './clip.mjs';

const players = {
  hlsjs: {player: 'HlsJs', script: '/lib/hls.js/dist/hls.min.js', manifest: '/out/master.m3u8'},
  'shaka-hls': {player: 'Shaka', script: '/lib/shaka-player/dist/shaka-player.compiled.js', manifest: '/out/master.m3u8'},
  'shaka-dash': {player: 'Shaka', script: '/lib/shaka-player/dist/shaka-player.compiled.js', manifest: '/out/manifest.mpd'},
  dashjs: {player: 'DashJs', script: '/lib/dashjs/dist/modern/umd/dash.all.min.js', manifest: '/out/manifest.mpd'},
};
const {MILLRACE_TREE: tree, MILLRACE_PLAYER: name} = process.env;
assert.ok(tree && players[name], 'MILLRACE_TREE names the folder that tree.mjs made, MILLRACE_PLAYER one of the players');
const {player, script, manifest} = players[name];
const frame = 1 / clip.fps;
const LIMIT = 20_000; // for anything that a page does; most takes the time that the clip plays

let browser;
const inPage = (what, work, argument) => browser.within(LIMIT, what, () => browser.page.evaluate(work, argument));
const state = () => inPage('state', () => screenOf.state());

before(async () => {
  browser = await browse(tree);
  await browser.within(LIMIT, 'load', async () => {
    await browser.open(script, '/page/players.js');
    await browser.page.evaluate(([kind, url, subtitles]) => {
      window.player = new players[kind](video);
      return player.load(url, subtitles);
    }, [player, manifest, clip.text.language]);
  });
});
after(() => browser?.close());

// Every picture carries the number that belongs to the time at which it is shown. A page that came late to look at it may have seen a newer one.
function checkPictures(pictures) {
  for (const {mediaTime, currentTime, late, number, flash} of pictures) {
    const newer = Math.ceil(late * clip.fps);
    assert.ok(number !== undefined, `the picture at ${mediaTime} can't be read`);
    assert.equal(flash, number % clip.fps < clip.flash.seconds * clip.fps, `picture ${number} ${flash ? 'flashes' : 'does not flash'}`);
    const [ahead, behind] = [number - mediaTime * clip.fps, currentTime * clip.fps - number];
    assert.ok(ahead >= -1 && ahead <= 1 + newer, `picture ${number} is shown with the time ${mediaTime}, ${late} s later`);
    assert.ok(behind >= -3 && behind <= 3 + newer, `picture ${number} is shown at ${currentTime}, ${late} s later`);
  }
}

test('what is on offer', async () => {
  const offer = await inPage('offer', () => ({rungs: player.rungs(), languages: player.languages(), texts: player.texts()}));
  assert.deepEqual([...offer.rungs].sort((a, b) => b - a), [360, 180]);
  assert.deepEqual(offer.languages, [{language: 'en', name: 'English', first: true}, {language: 'de', name: 'Deutsch', first: false}]);
  assert.deepEqual(offer.texts, ['en']);
});

// Beeps have the pitch of the language and begin with the second's flash: each near it, and on the whole at it, to less than a frame of sound.
function checkBeeps(beeps, language) {
  const {hertz} = clip.audio.find((track) => track.language === language);
  const late = beeps.map(({mediaTime}) => mediaTime - Math.round(mediaTime)).sort((a, b) => a - b);
  for (const beep of beeps) assert.ok(Math.abs(beep.hertz - hertz) < 100, `${language} beeps at ${hertz} Hz, not at ${beep.hertz}`);
  assert.ok(late.every((by) => Math.abs(by) < 0.06), `beeps come late by ${late} s`);
  assert.ok(Math.abs(late[late.length >> 1]) < 0.015, `beeps come late by ${late} s`);
}

test('plays from the first picture on', async () => {
  const {buffered, duration} = await state();
  assert.ok(buffered[0][0] < 0.001, `the buffer begins at ${buffered[0][0]}`);
  assert.ok(Math.abs(duration - clip.seconds) < frame, `the duration is ${duration}`);
  const {first, pictures, beeps} = await inPage('play', async (clip) => {
    const first = screenOf.readPicture(video, clip);
    await screenOf.listen();
    await screenOf.play();
    const beeps = (async () => [await screenOf.nextBeep(), await screenOf.nextBeep(), await screenOf.nextBeep()])();
    return {first, pictures: await screenOf.pictures(clip, 30), beeps: await beeps};
  }, clip);
  assert.equal(first.number, 0);
  checkPictures(pictures);
  checkBeeps(beeps, 'en');
});

test('rungs change up and down without a pause', async () => {
  for (const height of [360, 180]) {
    const pictures = await inPage(`${height} lines`, async ([clip, height]) => {
      player.select(height);
      await screenOf.until(() => video.videoHeight === height);
      return screenOf.pictures(clip, 8);
    }, [clip, height]);
    checkPictures(pictures);
  }
  const {waiting, ended, totalVideoFrames, droppedVideoFrames} = await state();
  assert.equal(ended, false, 'the second change came before the end');
  assert.equal(waiting, 0, 'playback stood still');
  assert.ok(droppedVideoFrames < totalVideoFrames / 10, `${droppedVideoFrames} of ${totalVideoFrames} pictures were dropped`);
});

test('shows exactly the picture that was sought', async () => {
  await inPage('pause', () => video.pause());
  for (const number of [230, 160, 130, 149, 150, 30, 49, 50, 299, 1]) { // a browser that has only the next segment may show its first picture for the one before it: so 49 comes after 30
    const shown = await inPage(`seek to picture ${number}`, ([time, clip]) => screenOf.seek(time, clip), [(number + 0.5) * frame, clip]);
    assert.equal(shown.number, number);
    assert.ok(Math.abs(shown.mediaTime - number * frame) < 0.001, `picture ${number} has the time ${shown.mediaTime}`);
  }
});

test('goes on from the middle, in the other language and back', async () => {
  for (const [language, start] of [['de', 5.5], ['en', 7.5]]) {
    const {pictures, beep} = await inPage(language, async ([clip, language, start]) => {
      player.hear(language);
      await screenOf.seek(start, clip);
      await screenOf.play();
      const pictures = await screenOf.pictures(clip, 8);
      const {hertz} = clip.audio.find((track) => track.language === language);
      let beep; // what was heard before the change has gone through may still be the other language's
      do beep = await screenOf.nextBeep(); while (beep && Math.abs(beep.hertz - hertz) > 100);
      video.pause();
      return {pictures, beep};
    }, [clip, language, start]);
    checkPictures(pictures);
    assert.ok(beep, `${language} was not heard before the end`);
    checkBeeps([beep], language);
  }
});

test('subtitles stand where they stand in the source', async () => {
  const seen = await inPage('subtitles', async (clip) => {
    const shown = [];
    for (const {start, end} of clip.text.cues) {
      await screenOf.seek(start - 0.1, clip);
      await screenOf.until(() => screenOf.cues().some((cue) => Math.abs(cue.start - start) < 0.01));
      await screenOf.play();
      await screenOf.until(() => screenOf.activeCues().length > 0);
      shown.push({at: video.currentTime, texts: screenOf.activeCues()});
      video.pause();
      await screenOf.seek(end + 0.1, clip);
      await screenOf.until(() => screenOf.activeCues().length === 0);
    }
    return {shown, cues: screenOf.cues()};
  }, clip);
  const cues = [...new Map(seen.cues.map((cue) => [cue.text, {...cue, start: Math.round(cue.start * 1000) / 1000, end: Math.round(cue.end * 1000) / 1000}])).values()];
  assert.deepEqual(cues.sort((a, b) => a.start - b.start), clip.text.cues);
  for (const [i, {start, end, text}] of clip.text.cues.entries()) {
    assert.deepEqual(seen.shown[i].texts, [text]);
    assert.ok(seen.shown[i].at >= start - frame && seen.shown[i].at < Math.min(end, start + 0.4), `'${text}' was shown at ${seen.shown[i].at}`);
  }
});

test('ends when it should, with nothing to complain about', async () => {
  const last = clip.seconds * clip.fps - 1;
  const {pictures, end} = await inPage('end', async ([clip, last]) => {
    await screenOf.seek(clip.seconds - 1.5, clip);
    const ended = player.ended();
    await screenOf.play();
    const pictures = await screenOf.pictures(clip, Infinity, ended);
    await screenOf.until(() => screenOf.readPicture(video, clip)?.number === last); // and stays there
    return {pictures, end: screenOf.state()};
  }, [clip, last]);
  assert.ok(pictures.length > 0, 'no picture was shown before the end');
  checkPictures(pictures);
  assert.ok(Math.abs(end.currentTime - clip.seconds) < 0.05, `it ended at ${end.currentTime}`);
  assert.equal(end.buffered.length, 1, `the buffer has gaps: ${JSON.stringify(end.buffered)}`);
  assert.deepEqual(await inPage('problems', () => players.problems), []);
  assert.deepEqual(browser.complaints, []);
  assert.deepEqual(browser.missed, []);
});
