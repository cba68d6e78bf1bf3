// SPDX-License-Identifier: MIT
// The pictures beside the stream, as players fetch them: the poster, the storyboard's WebVTT (#xywh) and its thumbnails in DASH.
// Each thumbnail shows what the clip shows in its time: the clip's pictures carry their numbers.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {browse} from './browser.mjs';
import {clip} from './clip.mjs';

const {MILLRACE_TREE: tree} = process.env;
assert.ok(tree, 'MILLRACE_TREE names the folder that tree.mjs made');
const LIMIT = 20_000;
let browser;
const inPage = (what, work, argument) => browser.within(LIMIT, what, () => browser.page.evaluate(work, argument));

before(async () => {
  browser = await browse(tree);
  await browser.within(LIMIT, 'load', () => browser.open('/lib/shaka-player/dist/shaka-player.compiled.js', '/lib/dashjs/dist/modern/umd/dash.all.min.js'));
});
after(() => browser?.close());

// The number that a thumbnail shows has to lie in the time for which it stands, [start, end).
function checkNumber(picture, start, end, what) {
  assert.ok(picture, `${what} can't be read`);
  assert.ok(picture.number >= start * clip.fps && picture.number < end * clip.fps, `${what} stands for ${start} to ${end} s and shows picture ${picture.number}`);
}

test('the poster', async () => {
  const poster = await inPage('poster', async (clip) => {
    const image = new Image();
    image.src = '/out/poster.jpg';
    await image.decode();
    return {width: image.naturalWidth, height: image.naturalHeight, ...screenOf.readPicture(image, clip)};
  }, clip);
  assert.deepEqual([poster.width, poster.height], [clip.width, clip.height]);
  checkNumber(poster, 0, clip.seconds, 'the poster');
});

test('the storyboard', async () => {
  const tiles = await inPage('storyboard', async (clip) => {
    const element = document.createElement('track');
    Object.assign(element, {kind: 'metadata', src: '/out/storyboard.vtt'});
    const loaded = new Promise((resolve, reject) => {
      element.onload = resolve;
      element.onerror = () => reject(new Error('storyboard.vtt is not WebVTT'));
    });
    video.append(element);
    element.track.mode = 'hidden';
    await loaded;
    const sheets = new Map();
    const tiles = [];
    for (const {startTime: start, endTime: end, text} of element.track.cues) {
      const url = new URL(text, new URL('/out/storyboard.vtt', location));
      const [x, y, width, height] = /^#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(url.hash).slice(1).map(Number);
      url.hash = '';
      if (!sheets.has(url.href)) {
        const image = new Image();
        image.src = url.href;
        await image.decode();
        sheets.set(url.href, image);
      }
      const sheet = sheets.get(url.href);
      tiles.push({start, end, x, y, width, height, sheetWidth: sheet.naturalWidth, sheetHeight: sheet.naturalHeight, ...screenOf.readPicture(sheet, clip, {x, y, width, height})});
    }
    return tiles;
  }, clip);
  assert.ok(tiles.length >= 2, `${tiles.length} tiles`);
  let time = 0;
  for (const tile of tiles) {
    assert.equal(tile.start, time, 'each begins where the one before it ends');
    time = tile.end;
    assert.ok(tile.x + tile.width <= tile.sheetWidth && tile.y + tile.height <= tile.sheetHeight, `a tile lies outside of its sheet: ${JSON.stringify(tile)}`);
    assert.equal(tile.width * clip.height, tile.height * clip.width, 'tiles have the shape of the picture');
    checkNumber(tile, tile.start, tile.end, `the tile at ${tile.x}, ${tile.y}`);
  }
  assert.ok(Math.abs(time - clip.seconds) < 1 / clip.fps, `the tiles end at ${time}`);
});

const times = [0.5, 1.5, 6.5, 11.5];

// The tile for each time, cut out of its sheet and read.
async function readTiles(found) {
  const shown = await inPage('thumbnails', async ([clip, found]) => {
    const shown = [];
    for (const {url, x, y, width, height} of found) {
      const image = new Image();
      image.src = url;
      await image.decode();
      shown.push(screenOf.readPicture(image, clip, {x, y, width, height}));
    }
    return shown;
  }, [clip, found]);
  for (const [i, tile] of found.entries()) {
    assert.equal(tile.width * clip.height, tile.height * clip.width, 'tiles have the shape of the picture');
    checkNumber(shown[i], Math.floor(times[i]), Math.ceil(times[i]), `the thumbnail at ${times[i]} s`);
  }
}

test('thumbnails through DASH, in Shaka Player', async () => {
  await readTiles(await inPage('Shaka Player', async (times) => {
    const player = new shaka.Player();
    await player.attach(video);
    await player.load('/out/manifest.mpd');
    const found = [];
    for (const time of times) {
      const {uris, positionX: x, positionY: y, width, height} = await player.getThumbnails(null, time);
      found.push({url: uris[0], x, y, width, height});
    }
    await player.destroy();
    return found;
  }, times));
});

test('thumbnails through DASH, in dash.js', async () => {
  await readTiles(await inPage('dash.js', async (times) => {
    const player = dashjs.MediaPlayer().create();
    const ready = new Promise((resolve) => { player.on('streamInitialized', resolve); });
    player.initialize(video, new URL('/out/manifest.mpd', location).href, false);
    await ready;
    const found = [];
    for (const time of times) found.push(await new Promise((resolve) => { player.provideThumbnail(time, ({url, x, y, width, height}) => resolve({url, x, y, width, height})); }));
    player.destroy();
    return found;
  }, times));
});

test('nothing to complain about', () => {
  assert.deepEqual(browser.complaints, []);
  assert.deepEqual(browser.missed, []);
});
