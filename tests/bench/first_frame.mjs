// SPDX-License-Identifier: MIT
// What first_frame.py measures in a browser: a real server on fresh data, Millrace's own page in Chromium, and a clip whose pictures carry their numbers.
//   first_frame.mjs filter                    the filter of FFmpeg that burns the numbers into a film
//   first_frame.mjs cold FOLDER CLIP FRAMES   one upload: seconds from its last byte to the first picture on the screen
//   first_frame.mjs ready FOLDER CLIP FRAMES  a video that is complete: starts, seeks, playing on
// FOLDER: to work in, empty. FRAMES: after so many pictures the clip begins anew. The command is MILLRACE. What is found is printed as JSON.
import {mkdtempSync} from 'node:fs';
import {join} from 'node:path';
import {launch} from '../browser/browser.mjs';
import {codeFilter} from '../browser/clip.mjs';
import {serve} from '../server/served.mjs';

const clip = {width: 1920, height: 1080, fps: 25, code: {bits: 11, size: 80, left: 48, pitch: 128, top: 32, complementTop: 144}};
const LIMIT = 120_000; // for anything that a page does
const [LOADS, SEEKS, PLAY_S] = [20, 2, 15];
const picture = new URL('../browser/page/picture.js', import.meta.url).pathname;

// Runs in each page before its own scripts: the first picture of its first player, and when something was pressed.
function follow(clip) {
  window.pressed = null;
  addEventListener('click', ({timeStamp}) => { window.pressed = performance.timeOrigin + timeStamp; }, true);
  window.first = new Promise((resolve) => {
    const born = new MutationObserver(() => {
      const video = document.querySelector('video');
      if (!video) return;
      born.disconnect();
      window.waits = 0;
      video.addEventListener('waiting', () => { if (video.currentTime > 0 && !video.seeking && !video.ended) window.waits++; });
      resolve(window.nextPicture(video, clip));
    });
    born.observe(document, {childList: true, subtree: true});
  });
}

const within = (what, work) => Promise.race([work, new Promise((_, reject) => { setTimeout(reject, LIMIT, new Error(`${what}: not within ${LIMIT / 1000} s`)).unref(); })]);

// What is drawn may be a picture or two further than what was announced.
function check({mediaTime, number}, frames) {
  const late = (number - Math.round(mediaTime * clip.fps) % frames + frames) % frames;
  if (!(late <= 3)) throw new Error(`the picture for ${mediaTime} s carries ${number}`);
}

async function open(browser, server) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}});
  context.setDefaultTimeout(LIMIT);
  await server.signIn(context);
  await context.addInitScript({path: picture});
  await context.addInitScript(follow, clip);
  return context.newPage();
}

async function cold(server, browser, path, frames) {
  const target = await server.create(path);
  const {id} = target.video;
  const page = await open(browser, server);
  await page.goto(`${server.origin}/watch/${id}`);
  await page.locator('.player-wait').waitFor();
  const marks = {};
  const ready = server.until(id, 'ready', () => true, (event, data, at) => { marks[event === 'node' ? `${data.node} ${data.state}` : event] ??= at; });
  const last = await server.put(path, target);
  const {at: playable} = await ready;
  const first = await within('the first picture', page.evaluate(() => window.first));
  check(first, frames);
  const run = await server.ask('GET', `/api/v1/runs/${(await server.ask('GET', `/api/v1/videos/${id}`)).run}`);
  const since = (at) => (at - last) / 1000;
  return {
    playable_s: since(playable), frame_s: since(first.seen), media_time: first.mediaTime, height: first.height, tasks: run.tasks, done: run.done,
    marks: Object.fromEntries(Object.entries(marks).map(([event, at]) => [event, since(at)])),
  };
}

// One viewer with nothing in the browser's cache: opens the library, presses the video, and goes elsewhere in it twice, to where nothing is loaded yet.
async function watchOnce(page, server, seconds, seed, frames) {
  await page.goto(server.origin);
  await page.locator('a[href^="/watch/"]').first().click();
  const first = await within('the first picture', page.evaluate(async () => ({...(await window.first), pressed: window.pressed})));
  check(first, frames);
  const seeks = [];
  for (let i = 1; i <= SEEKS; i++) {
    const time = (Math.floor(clip.fps * (seconds * (i / (SEEKS + 1)) + (seed / LOADS) * (seconds / (SEEKS + 1) - 2))) + 0.5) / clip.fps; // the middle of a picture
    const found = await within(`a picture of ${time} s`, page.evaluate(async ([time, clip]) => {
      const video = document.querySelector('video');
      for (let i = 0; i < video.buffered.length; i++) if (video.buffered.start(i) <= time && time < video.buffered.end(i)) return null;
      const began = performance.timeOrigin + performance.now();
      const bar = document.querySelector('.seek'); // as a press on it ends
      bar.value = time;
      bar.dispatchEvent(new Event('change'));
      return {began, ...(await window.nextPicture(video, clip, (mediaTime) => Math.abs(mediaTime - time) < 1))};
    }, [time, clip]));
    if (!found) continue;
    check(found, frames);
    seeks.push((found.seen - found.began) / 1000);
  }
  return {start: (first.seen - first.pressed) / 1000, seeks};
}

// The whole page and its player from nothing, as by a link from elsewhere; then it plays on.
async function playOn(page, server, id) {
  await page.goto(`${server.origin}/watch/${id}`);
  const loaded = await within('the first picture', page.evaluate(async () => ({...(await window.first), from: performance.timeOrigin})));
  const played = await within(`${PLAY_S} s of playing`, page.evaluate(async (seconds) => {
    const video = document.querySelector('video');
    await new Promise((resolve) => { video.addEventListener('timeupdate', () => { if (video.currentTime > seconds) resolve(); }); });
    return {waits: window.waits, height: video.videoHeight};
  }, PLAY_S));
  return {loaded: (loaded.seen - loaded.from) / 1000, ...played};
}

async function ready(server, browser, path, frames) {
  const id = await server.publish(path, {params: {preset: 'ultrafast'}});
  const {duration} = await server.ask('GET', `/api/v1/videos/${id}`);
  const found = {starts: [], seeks: []};
  for (let i = 0; i < LOADS; i++) {
    const page = await open(browser, server);
    const {start, seeks} = await watchOnce(page, server, duration, i, frames);
    found.starts.push(start);
    found.seeks.push(...seeks);
    await page.context().close();
  }
  return {...found, ...await playOn(await open(browser, server), server, id)};
}

async function measure(what, [folder, path, frames]) {
  const server = await serve(mkdtempSync(join(folder, 'server-')), {settings: ['server.rate_api=0', 'server.rate_sign_in=0']});
  try {
    await server.setUp();
    const browser = await launch();
    try {
      return await what(server, browser, path, Number(frames));
    } finally {
      await browser.close();
    }
  } finally {
    await server.stop();
  }
}

const [, , verb, ...words] = process.argv;
const verbs = {filter: async () => codeFilter(clip), cold: async () => JSON.stringify(await measure(cold, words)), ready: async () => JSON.stringify(await measure(ready, words))};
process.stdout.write(await verbs[verb]());
