// SPDX-License-Identifier: MIT
// Runs every pipeline of pipelines/ on one clip: picture, English and German sound, subtitles; seven seconds, so that segments don't come out even.
import assert from 'node:assert/strict';
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {createServer} from 'node:http';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import {after, before, test} from 'node:test';
import {validate} from '../manifest/validate.mjs';

const {MILLRACE: millrace, MILLRACE_SOURCE: source} = process.env;
assert.ok(millrace && source, 'MILLRACE and MILLRACE_SOURCE name the command and the tree');
const dir = mkdtempSync(join(tmpdir(), 'millrace-pipelines-'));
const clip = join(dir, 'clip.mp4');
const FRAMES = 175;

before(() => {
  writeFileSync(join(dir, 'words.srt'), '1\n00:00:00,500 --> 00:00:02,000\nHello <b>there</b>\n\n2\n00:00:03,900 --> 00:00:06,500\nAcross a seam\n');
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=25:d=7', '-f', 'lavfi', '-i', 'sine=440:d=7', '-f', 'lavfi', '-i', 'sine=660:d=7',
    '-i', join(dir, 'words.srt'), '-map', '0', '-map', '1', '-map', '2', '-map', '3', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-c:a', 'aac', '-ac', '2', '-c:s', 'mov_text',
    '-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=deu', '-metadata:s:s:0', 'language=eng', clip]);
});
after(() => rmSync(dir, {recursive: true}));

function run(pipeline, output, more = [], input = clip) {
  const file = pipeline.endsWith('.lua') ? pipeline : `${pipeline}.yaml`;
  const done = spawnSync(millrace, ['run', join(source, 'pipelines', file), '--input', input, '--output', output, '--state', join(dir, 'state'), ...more],
    {encoding: 'utf8'});
  assert.equal(done.status, 0, done.stderr);
  return done;
}

function tree(root) {
  const walk = (at) => readdirSync(at, {withFileTypes: true}).flatMap((entry) => entry.isDirectory() ? walk(join(at, entry.name)) : [join(at, entry.name)]);
  return walk(root).map((path) => relative(root, path)).filter((path) => path !== 'run.json' && !path.startsWith('.millrace/')).sort();
}

// Packets of one stream, as ffprobe reads them through a manifest or a file.
function packets(path, stream) {
  const words = execFileSync('ffprobe', ['-v', 'error', '-allowed_extensions', 'ALL', '-select_streams', stream, '-count_packets', '-show_entries', 'stream=codec_name,nb_read_packets',
    '-of', 'json', path], {encoding: 'utf8'});
  return JSON.parse(words).streams.map(({codec_name: codec, nb_read_packets: count}) => ({codec, count: Number(count)}));
}

function valid(output) {
  assert.deepEqual(validate(output).problems, []);
}

test('vod', () => {
  const output = join(dir, 'vod');
  run('vod', output, ['--param', 'preset=veryfast']);
  valid(output);
  const files = tree(output);
  for (const path of ['master.m3u8', 'manifest.mpd', 'poster.jpg', 'storyboard.vtt', 'storyboard/00000.jpg', 'video/360p/init.mp4', 'video/240p/iframes.m3u8', 'text/en/subtitles.vtt',
    'text/en/00000.vtt']) assert.ok(files.includes(path), `${path} is in ${files.join(' ')}`);
  for (const rung of ['360p', '240p']) assert.deepEqual(packets(join(output, `video/${rung}/index.m3u8`), 'v:0'), [{codec: 'h264', count: FRAMES}]);
  assert.deepEqual(packets(join(output, 'manifest.mpd'), 'v:0'), [{codec: 'h264', count: FRAMES}]);
  const master = readFileSync(join(output, 'master.m3u8'), 'utf8');
  assert.match(master, /TYPE=AUDIO.*LANGUAGE="en",DEFAULT=YES/);
  assert.match(master, /TYPE=AUDIO.*LANGUAGE="de",DEFAULT=NO/);
  assert.match(master, /TYPE=SUBTITLES.*LANGUAGE="en"/);
});

test('vod again: nothing is made, nothing is written', () => {
  const output = join(dir, 'vod');
  const before = tree(output).map((path) => [path, statSync(join(output, path)).ino, statSync(join(output, path)).mtimeMs]);
  run('vod', output, ['--param', 'preset=veryfast']);
  assert.deepEqual(tree(output).map((path) => [path, statSync(join(output, path)).ino, statSync(join(output, path)).mtimeMs]), before);
});

test('vod from nothing with one job: the same bytes', () => {
  const [first, second] = [join(dir, 'vod'), join(dir, 'vod-one-job')];
  run('vod', second, ['--param', 'preset=veryfast', '--jobs', '1', '--no-cache']);
  assert.deepEqual(tree(second), tree(first));
  for (const path of tree(first)) assert.ok(readFileSync(join(first, path)).equals(readFileSync(join(second, path))), `${path} differs`);
});

test('vod with fewer rungs: what is no longer named goes away', () => {
  const output = join(dir, 'vod-one-job');
  writeFileSync(join(output, 'theirs.txt'), 'not ours');
  run('vod', output, ['--param', 'preset=veryfast', '--param', 'ladder=[{height: 240, max_bitrate: 200k}]']);
  valid(output);
  const files = tree(output);
  assert.ok(files.includes('theirs.txt'));
  assert.deepEqual(files.filter((path) => path.startsWith('video/360p')), []);
});

test('vod tells a webhook how it ended', async () => {
  const heard = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      heard.push({headers: request.headers, body: JSON.parse(body)});
      response.writeHead(204).end();
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const child = spawn(millrace, ['run', join(source, 'pipelines/vod.yaml'), '--input', clip, '--output', join(dir, 'vod'), '--state', join(dir, 'state'), '--param', 'preset=veryfast',
    '--param', `webhook=http://127.0.0.1:${server.address().port}/hook`], {stdio: ['ignore', 'ignore', 'pipe']});
  const status = await new Promise((done) => child.on('close', done));
  server.close();
  assert.equal(status, 0);
  assert.equal(heard.length, 1);
  assert.equal(heard[0].body.type, 'run.succeeded');
  assert.equal(heard[0].body.data.pipeline, 'vod');
  assert.ok(heard[0].headers['webhook-id']);
});

test('audio-only', () => {
  const output = join(dir, 'audio-only');
  run('audio-only', output);
  valid(output);
  assert.deepEqual(tree(output).filter((path) => path.startsWith('video')), []);
  const [stream] = packets(join(output, 'audio/en-2ch/index.m3u8'), 'a:0');
  assert.equal(stream.codec, 'aac');
  assert.ok(stream.count >= 7 * 48000 / 1024, `${stream.count} packets`);
});

test('remux', () => {
  const output = join(dir, 'remux');
  run('remux', output);
  valid(output);
  assert.deepEqual(packets(join(output, 'video/360p/index.m3u8'), 'v:0'), [{codec: 'h264', count: FRAMES}]);
  assert.ok(tree(output).includes('text/en/index.m3u8'));
});

test('hls-ts', () => {
  const output = join(dir, 'hls-ts');
  run('hls-ts', output);
  valid(output);
  const media = join(output, '360p/index.m3u8');
  assert.match(readFileSync(media, 'utf8'), /^#EXTM3U\n#EXT-X-VERSION:3\n/);
  assert.deepEqual(packets(media, 'v:0'), [{codec: 'h264', count: FRAMES}]);
  assert.equal(packets(media, 'a:0')[0].codec, 'aac');
  assert.ok(!tree(output).some((path) => path.endsWith('.m4s')));
});

test('thumbnails', () => {
  const output = join(dir, 'thumbnails');
  run('thumbnails', output);
  assert.deepEqual(tree(output), ['poster.jpg', 'preview.webp', 'storyboard.vtt', 'storyboard/00000.jpg']);
  assert.deepEqual([...readFileSync(join(output, 'poster.jpg')).subarray(0, 3)], [0xff, 0xd8, 0xff]);
  assert.equal(readFileSync(join(output, 'preview.webp')).toString('latin1', 8, 12), 'WEBP');
});

test('social-square', () => {
  const output = join(dir, 'social-square');
  run('social-square', output, ['--param', 'size=240']);
  const [file, ...rest] = tree(output);
  assert.deepEqual(rest, []);
  const {streams} = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_type,width,height', '-of', 'json', join(output, file)], {encoding: 'utf8'}));
  const video = streams.find((stream) => stream.codec_type === 'video');
  assert.deepEqual([video.width, video.height], [240, 240]);
  assert.ok(streams.some((stream) => stream.codec_type === 'audio'));
  const told = spawnSync('ffmpeg', ['-hide_banner', '-i', join(output, file), '-vn', '-af', 'ebur128=framelog=verbose', '-f', 'null', '-'], {encoding: 'utf8'}).stderr;
  const loudness = Number(told.match(/I:\s+(-?[\d.]+) LUFS(?![\s\S]*I:\s)/)[1]);
  assert.ok(Math.abs(loudness + 14) <= 1, `${loudness} LUFS`);
});

const report = (output) => JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
const node = (output, name) => report(output).nodes.find((one) => one.node === name);

test('per-title.lua: what was measured decides', () => {
  const output = join(dir, 'per-title');
  const fast = ['--param', 'preset=veryfast', '--param', 'samples=1'];
  run('per-title.lua', output, fast);
  valid(output);
  const {rungs} = report(output).outputs;
  assert.ok(rungs.length > 0);
  for (const rung of rungs) {
    assert.ok(rung.quality >= 20 && rung.quality <= 36, JSON.stringify(rung));
    assert.deepEqual(packets(join(output, `video/${rung.id}/index.m3u8`), 'v:0'), [{codec: 'h264', count: FRAMES}]);
  }
  assert.deepEqual(rungs.map((rung) => rung.height), rungs.map((rung) => rung.height).sort((a, b) => a - b));
  const better = join(dir, 'per-title-better');
  run('per-title.lua', better, [...fast, '--param', 'ssim=0.998']);
  assert.equal(node(better, 'trial').cached, node(better, 'trial').tasks, 'the trials are the same');
  assert.ok(report(better).outputs.rungs.at(-1).quality < rungs.at(-1).quality, 'a better picture takes another quality');
});

test('multi-language.lua: each track goes its own way', () => {
  const output = join(dir, 'multi-language');
  run('multi-language.lua', output, ['--param', 'preset=veryfast']);
  valid(output);
  const master = readFileSync(join(output, 'master.m3u8'), 'utf8');
  assert.match(master, /TYPE=AUDIO.*LANGUAGE="en"/);
  assert.match(master, /TYPE=AUDIO.*LANGUAGE="de"/);
  assert.deepEqual(['english', 'german', 'french', 'others'].map((name) => node(output, `audio_${name}`).state), ['succeeded', 'succeeded', 'skipped', 'skipped']);
  const rate = (language) => statSync(join(output, `audio/${language}-2ch/00000.m4s`)).size;
  assert.ok(rate('en') > rate('de'), 'English has more bits');
});

// Two seconds stand, two move, two stand, two move more.
test('highlights.lua: the moments in which something happens', () => {
  const output = join(dir, 'highlights');
  const scenes = join(dir, 'scenes.mp4');
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'color=black:s=320x180:r=25:d=2', '-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=2', '-f', 'lavfi', '-i',
    'color=white:s=320x180:r=25:d=2', '-f', 'lavfi', '-i', 'mandelbrot=s=320x180:r=25', '-f', 'lavfi', '-i', 'sine=440:d=8', '-filter_complex',
    '[3]trim=duration=2[m];[0][1][2][m]concat=n=4[v]', '-map', '[v]', '-map', '4', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', scenes]);
  run('highlights.lua', output, ['--param', 'count=2', '--param', 'length=1s', '--param', 'preset=veryfast'], scenes);
  assert.deepEqual(tree(output), ['highlights.mp4']);
  const [{cuts}] = report(output).outputs.cuts;
  assert.equal(cuts.length, 2);
  for (const [i, [from, to]] of [[2, 4], [6, 8]].entries()) assert.ok(cuts[i].start_us >= from * 1e6 && cuts[i].start_us + cuts[i].duration_us <= to * 1e6, JSON.stringify(cuts));
  assert.deepEqual(packets(join(output, 'highlights.mp4'), 'v:0'), [{codec: 'h264', count: 50}]);
  // Each moment's caption is that of a picture on which it is written by drawtext itself; the other moment's is not.
  const caption = (number) => {
    const file = join(dir, `caption-${number}`);
    writeFileSync(file, `${number} of 2: from 0:0${Math.floor(cuts[number - 1].start_us / 1e6)}`);
    return file;
  };
  const band = 'crop=in_w:24:0:in_h-24,format=gray';
  const rows = (args) => execFileSync('ffmpeg', ['-v', 'error', ...args, '-f', 'rawvideo', '-'], {maxBuffer: 1 << 24});
  const all = rows(['-i', join(output, 'highlights.mp4'), '-vf', band]);
  const size = all.length / 50;
  const written = (number) => rows(['-f', 'lavfi', '-i', 'color=gray:s=320x180:r=25', '-vf',
    `drawtext=textfile=${caption(number)}:fontcolor=white:fontsize=12:box=1:boxcolor=black@0.6:boxborderw=4:x=(w-text_w)/2:y=h-24,${band}`, '-frames:v', '1']);
  const plain = rows(['-f', 'lavfi', '-i', 'color=gray:s=320x180:r=25', '-vf', band, '-frames:v', '1']);
  const texts = [written(1), written(2)];
  // Where the two texts differ, a picture is like its own: letters bright, the box around them dark.
  const like = (frame, text) => {
    let [bright, dark, letters, box] = [0, 0, 0, 0];
    for (let i = 0; i < size; i++) {
      if (text[i] > 200) [bright, letters] = [bright + all[frame * size + i], letters + 1];
      else if (text[i] < plain[i] - 20) [dark, box] = [dark + all[frame * size + i], box + 1];
    }
    return bright / letters - dark / box;
  };
  for (let frame = 0; frame < 50; frame++) {
    const own = frame < 25 ? 0 : 1;
    assert.ok(like(frame, texts[own]) > 60, `frame ${frame}: no caption`);
    assert.ok(like(frame, texts[own]) > like(frame, texts[1 - own]) + 5, `frame ${frame}: the other moment's caption`);
  }
});
