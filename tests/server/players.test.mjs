// SPDX-License-Identifier: MIT
// Players of the web on a real server: the page's own (Shaka Player), and hls.js and dash.js on a page of another origin. Every picture carries its number,
// so what is shown can be held against what the film has at that time. Pictures of the page are left in MILLRACE_PICTURES, to be looked at.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {launch} from '../browser/browser.mjs';
import {codeFilter} from '../browser/clip.mjs';
import {serve as serveFiles} from '../browser/server.mjs';
import {serve} from './served.mjs';

const PATIENCE = Number(process.env.MILLRACE_PATIENCE ?? 180_000);
const clip = {width: 640, height: 360, fps: 25, code: {bits: 11, size: 32, left: 16, pitch: 48, top: 16, complementTop: 64}};
const loopSeconds = 30; // then its pictures begin anew
const [high, low] = [360, 180];
const params = {segment_duration: '2s', ladder: [{height: high, max_bitrate: '600k'}, {height: low, max_bitrate: '150k'}]};
// Bits per second. slow: enough for the low rung and sound, too little for the high one. On loopback alone nothing takes long enough for players to measure.
const [slow, fast] = [400_000, 20_000_000];
const [seconds, long] = [120, 360];
const tests = fileURLToPath(new URL('..', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'millrace-players-'));
const pictures = process.env.MILLRACE_PICTURES ?? folder;
const state = {};

// Moving, and noisy enough that the rungs need their bits.
function makeFilm(seconds) {
  const [loop, film] = [join(folder, 'loop.mp4'), join(folder, `film-${seconds}.mp4`)];
  const ffmpeg = (...words) => execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...words]);
  if (!existsSync(loop)) ffmpeg('-f', 'lavfi', '-i', `testsrc2=s=${clip.width}x${clip.height}:r=${clip.fps}:d=${loopSeconds},noise=alls=16:allf=t,${codeFilter(clip)}`, '-c:v', 'libx264', '-preset', 'veryfast',
    '-crf', '30', '-g', '50', '-pix_fmt', 'yuv420p', loop);
  ffmpeg('-stream_loop', String(seconds / loopSeconds - 1), '-i', loop, '-f', 'lavfi', '-i', `sine=d=${seconds}:f=330:r=48000`, '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-c:a', 'aac', '-b:a', '64k',
    '-movflags', '+faststart', film);
  return film;
}

// ---- pages ----
// what: in words, for the error. The state of the page stands beside it.
async function within(page, what, work, limit = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: not within ${limit / 1000} s`)), limit); });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    const told = page.evaluate(() => {
      const video = document.querySelector('video');
      const buffered = video && Array.from({length: video.buffered.length}, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
      return video && {currentTime: video.currentTime, height: video.videoHeight, readyState: video.readyState, paused: video.paused, seeking: video.seeking, buffered, error: video.error?.message};
    }).catch(String);
    const words = await Promise.race([told, new Promise((resolve) => { setTimeout(resolve, 2000, 'no answer').unref(); })]);
    error.message += `\npage: ${JSON.stringify(words)}\nconsole: ${JSON.stringify(page.complaints)}\nserver: ${state.server.said().slice(-1500)}`;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

// A page of a browser that has seen nothing yet.
async function newPage() {
  const context = await state.browser.newContext({viewport: {width: 1280, height: 800}});
  context.setDefaultTimeout(PATIENCE);
  await state.server.signIn(context);
  await context.addInitScript({path: join(tests, 'browser', 'page', 'picture.js')});
  await context.addInitScript(prepare);
  const page = await context.newPage();
  Object.assign(page, {complaints: [], network: await context.newCDPSession(page)});
  await page.network.send('Network.enable');
  await throttle(page, fast);
  page.on('console', (message) => { if (message.type() === 'error') page.complaints.push(message.text()); });
  page.on('pageerror', (error) => page.complaints.push(error.message));
  return page;
}

const throttle = (page, rate) => page.network.send('Network.emulateNetworkConditions', {offline: false, latency: 10, downloadThroughput: rate / 8, uploadThroughput: -1});

const players = {
  page: async (page, id) => {
    await page.goto(`${state.server.origin}/watch/${id}`);
    await page.locator('video').waitFor();
  },
  hlsjs: (page, id) => elsewhere(page, id, 'hls', '/lib/hls.js/dist/hls.min.js', (url) => {
    const hls = new Hls({maxBufferLength: 15, maxMaxBufferLength: 15});
    hls.on(Hls.Events.ERROR, (_event, {type, details, fatal}) => { if (fatal) window.problems.push(`${type} ${details}`); });
    hls.loadSource(url);
    hls.attachMedia(video);
    void video.play();
  }),
  dashjs: (page, id) => elsewhere(page, id, 'dash', '/lib/dashjs/dist/modern/umd/dash.all.min.js', (url) => {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({streaming: {buffer: {bufferTimeDefault: 15, bufferTimeAtTopQuality: 15, bufferTimeAtTopQualityLongForm: 15}}});
    player.on('error', ({error}) => window.problems.push(`${error?.code} ${error?.message}`));
    player.initialize(video, url, true);
  }),
};

// On a page that another server gave, which knows no more than an address.
async function elsewhere(page, id, format, library, begin) {
  const playback = await state.server.ask('GET', `/api/v1/videos/${id}/playback`);
  await page.goto(`${state.elsewhere.origin}/page/index.html`);
  await page.addScriptTag({url: library});
  await page.evaluate(() => { window.problems = []; });
  await page.evaluate(begin, state.server.origin + playback[format].url);
}

// A picture that is shown from now on, at that time or near it when one is given; it carries the number that it must.
async function shows(page, what, time) {
  const picture = await within(page, what, page.evaluate(([clip, time]) => {
    return window.nextPicture(document.querySelector('video'), clip, (mediaTime) => time === undefined || Math.abs(mediaTime - time) < 1.5);
  }, [clip, time]));
  const late = picture.number - Math.round(picture.mediaTime * clip.fps) % (loopSeconds * clip.fps);
  assert.ok(late >= -1 && late <= 5 || late < -loopSeconds * clip.fps + 10, `${what}: the picture for ${picture.mediaTime} s carries ${picture.number}`); // a busy browser draws a later one than it told
  return picture;
}

// Runs in each page: jumps by the bar, where there is one; and tells when something was loaded, before the player knows of it.
function prepare() {
  window.jump = (time) => {
    const bar = document.querySelector('.seek');
    if (bar) {
      bar.value = time;
      bar.dispatchEvent(new Event('change'));
    } else {
      document.querySelector('video').currentTime = time;
    }
  };
  const add = MediaSource.prototype.addSourceBuffer;
  MediaSource.prototype.addSourceBuffer = function addSourceBuffer(type) {
    const buffer = add.call(this, type);
    buffer.addEventListener('updateend', () => window.loaded?.());
    return buffer;
  };
}

async function seek(page, time) {
  await page.evaluate((time) => window.jump(time), time);
  return shows(page, `a picture of ${time} s`, time);
}

async function plays(page, what) {
  const first = await shows(page, what);
  await within(page, `${what}: it goes on`, page.waitForFunction((from) => document.querySelector('video').currentTime > from + 1, first.mediaTime));
  await shows(page, what);
  return first;
}

// From the menu, by keyboard.
async function choose(page, height) {
  await page.getByRole('button', {name: 'Quality and speed'}).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('radio', {name: `${height}p`, exact: true}).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
}

const playsAt = (page, height) => within(page, `${height} lines on the screen`, page.waitForFunction((height) => document.querySelector('video').videoHeight === height, height));

const heightOf = (request) => Number(/\/media\/.*\/video\/(\d+)p\/\d+\.m4s/.exec(request.url())?.[1]);
const tokenOf = (request) => /\/media\/([^/]+)\/.*\.m4s/.exec(request.url())?.[1];
const asksFor = (page, height) => within(page, `segments of ${height} lines are asked for`, page.waitForRequest((request) => heightOf(request) === height));

// Up where the network carries it, down where it doesn't, and up again.
async function switches(page, [near, far]) {
  await playsAt(page, high);
  await throttle(page, slow);
  const less = asksFor(page, low);
  await seek(page, near);
  await less;
  await playsAt(page, low);
  await shows(page, 'slow');
  const more = asksFor(page, high);
  await throttle(page, fast);
  await more;
  await seek(page, far);
  await playsAt(page, high);
  await shows(page, 'fast again');
}

const problems = (page) => page.evaluate(() => window.problems ?? []);

// ---- the tests ----
before(async () => {
  mkdirSync(pictures, {recursive: true});
  state.film = makeFilm(seconds);
  state.elsewhere = await serveFiles({'/page/': join(tests, 'browser', 'page'), '/lib/': join(tests, 'node_modules')});
  state.browser = await launch();
  state.server = await serve(folder);
  await state.server.setUp();
  state.id = await state.server.publish(state.film, {params: {...params, preset: 'ultrafast'}});
});

after(async () => {
  await state.browser?.close();
  await state.elsewhere?.close();
  await state.server?.stop();
  rmSync(folder, {recursive: true, force: true});
});

for (const name of ['page', 'hlsjs', 'dashjs']) {
  test(`a video that is complete: ${name}`, async () => {
    const page = await newPage();
    await players[name](page, state.id);
    await plays(page, 'from the beginning');
    await seek(page, 100.5);
    await seek(page, 50.5);
    await plays(page, 'from the middle');
    if (name === 'page') await page.screenshot({path: join(pictures, 'players-1-complete.png')});
    await switches(page, [25.5, 75.5]); // near the end there would soon be nothing more to load
    assert.deepEqual(await problems(page), []);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

// Jumps at moments that are bad for a player.
test('a jump while another quality begins', async () => {
  const page = await newPage();
  await players.page(page, state.id);
  await choose(page, high);
  await playsAt(page, high);
  const asked = new Promise((resolve) => { void page.route(`**/video/${low}p/init.mp4`, resolve, {times: 1}); });
  await choose(page, low);
  const held = await within(page, `${low} lines are about to begin`, asked);
  await seek(page, 100.5);
  await held.continue().catch(() => undefined); // the player may have given it up
  await playsAt(page, low);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a jump back when something was just loaded', async () => {
  const page = await newPage();
  await players.page(page, state.id);
  await plays(page, 'from the beginning');
  await within(page, 'a picture of 20.5 s', page.evaluate((clip) => {
    const video = document.querySelector('video');
    video.addEventListener('seeked', () => {
      window.loaded = () => {
        window.loaded = null;
        window.jump(20.5);
      };
    }, {once: true});
    window.jump(60.5); // where more than one segment is still to come
    return window.nextPicture(video, clip, (mediaTime) => Math.abs(mediaTime - 20.5) < 1.5);
  }, clip));
  await page.context().close();
});

// What has not arrived can't be made: so it stays unfinished for as long as it is looked at.
test('a video that is being made', async (t) => {
  const film = makeFilm(long);
  const {size} = statSync(film);
  const part = Math.round(size * 0.55); // 198 s: more than the page gets to, and less than is jumped to then
  const target = await state.server.create(film, {params: {...params, preset: 'ultrafast'}});
  const {id} = target.video;
  const playable = state.server.until(id, 'ready');
  await state.server.put(film, target, 0, part);
  await playable;
  await t.test('quality goes where the network lets it: page', async () => {
    const page = await newPage();
    await players.page(page, id);
    assert.equal((await plays(page, 'from the beginning')).height, low, 'it begins with the smallest picture');
    await page.screenshot({path: join(pictures, 'players-2-being-made.png')});
    await switches(page, [85.5, 130.5]); // not loaded yet, and not near what has not arrived: a player that has loaded all there is asks for nothing more
    assert.deepEqual(page.complaints.filter((one) => !/503/.test(one)), [], 'but that something is not made yet');
    await page.context().close();
  });
  assert.equal((await state.server.ask('GET', `/api/v1/videos/${id}`)).complete, false, 'it is still being made');
  await t.test('what is not there yet is made for who waits there: hls.js, dash.js', async () => {
    const waiting = [];
    for (const name of ['hlsjs', 'dashjs']) {
      const page = await newPage();
      await players[name](page, id);
      await plays(page, 'from the beginning');
      const asked = page.waitForRequest((request) => /\/video\/\d+p\/00110\.m4s/.test(request.url()));
      waiting.push({page, shown: seek(page, 220.5)});
      await within(page, 'its segment is asked for', asked);
    }
    await state.server.put(film, target, part);
    for (const {page, shown} of waiting) {
      await shown;
      await plays(page, 'far on');
      assert.deepEqual(await problems(page), []);
      await page.context().close();
    }
  });
});

test('a session outlives its addresses', async () => {
  const {token, email} = state.server;
  await state.server.stop();
  state.server = Object.assign(await serve(folder, {settings: ['server.url_life=8s']}), {token, email});
  const page = await newPage();
  const [tokens, refused] = [new Set(), []];
  page.on('request', (request) => { if (tokenOf(request)) tokens.add(tokenOf(request)); });
  page.on('response', (response) => { if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`); });
  await players.page(page, state.id);
  await plays(page, 'from the beginning');
  await within(page, 'new addresses are asked for', page.waitForResponse(/\/playback$/));
  await seek(page, 100.5);
  assert.ok(tokens.size > 1, 'segments come from new addresses');
  assert.deepEqual(refused, []);
  // A laptop that slept: what it knows is no longer good when it wakes.
  await page.context().setOffline(true);
  const known = `${state.server.origin}/media/${[...tokens].pop()}/${state.id}/1/master.m3u8`;
  await within(page, 'the addresses end', (async () => { while ((await fetch(known)).status !== 403) await page.waitForTimeout(100); })());
  await page.context().setOffline(false);
  await seek(page, 60.5);
  await plays(page, 'after a long sleep');
  await page.context().close();
});
