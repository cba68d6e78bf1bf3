// SPDX-License-Identifier: MIT
// The golden manifests of plugins/manifest, read by other people's parsers; and that these readers see what is wrong when something is.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {validate} from './validate.mjs';

const golden = process.env.MILLRACE_GOLDEN;
assert.ok(golden, 'MILLRACE_GOLDEN names the folder of goldens');

function unpack(name, change = (text) => text) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-manifests-'));
  for (const part of change(readFileSync(join(golden, `${name}.txt`), 'utf8')).split(/^== /m).slice(1)) {
    const end = part.indexOf('\n');
    const path = join(dir, part.slice(0, end));
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(path, part.slice(end + 1));
  }
  return dir;
}

function problems(name, change) {
  const dir = unpack(name, change);
  try {
    return validate(dir, {content: false}).problems;
  } finally {
    rmSync(dir, {recursive: true});
  }
}

const names = readdirSync(golden).filter((file) => file.endsWith('.txt')).map((file) => file.slice(0, -4));
assert.ok(names.length >= 7);
for (const name of names) test(`${name} is read without a complaint`, () => assert.deepEqual(problems(name), []));

const broken = {
  'a segment is longer than the target duration': (text) => text.replace('#EXTINF:4.000000', '#EXTINF:9.000000'),
  'HLS and DASH disagree on a duration': (text) => text.replaceAll('#EXTINF:2.280000', '#EXTINF:2.290000'),
  'a playlist does not end': (text) => text.replace('#EXT-X-ENDLIST\n', ''),
  'a fragmented playlist lacks its map': (text) => text.replace('#EXT-X-MAP:URI="init.mp4"\n', ''),
  'a rung lacks its bandwidth': (text) => text.replace(/#EXT-X-STREAM-INF:BANDWIDTH=\d+,AVERAGE-/, '#EXT-X-STREAM-INF:AVERAGE-'),
  'the version is too low for a map': (text) => text.replace('#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4', '#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4'),
  'two sound tracks have one name': (text) => text.replaceAll('NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS', 'NAME="English",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS'),
  'a group lacks a member': (text) => text.replace(/#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac-6ch",NAME="Deutsch".*\n/, ''),
  'an element stands in the wrong place': (text) => text.replace(/(<Label>Deutsch<\/Label>\n\s*)(<Role[^\n]*\n)/, '$2$1'),
  'an attribute is unknown': (text) => text.replace('segmentAlignment=', 'segmentalignment='),
  'a timeline run is negative': (text) => text.replace('r="1"', 'r="-1"'),
  'the MPD is not well-formed': (text) => text.replace('</Period>', ''),
  'the MPD counts another number of segments': (text) => text.replace('<S t="0" d="51200" r="1"/>', '<S t="0" d="51200" r="2"/>'),
  'a named playlist is missing': (text) => text.replace('== video/720p/index.m3u8', '== video/720p/other.m3u8'),
};
for (const [what, change] of Object.entries(broken)) {
  test(`seen: ${what}`, () => {
    const text = readFileSync(join(golden, 'vod.txt'), 'utf8');
    assert.notEqual(change(text), text, 'the text to break is there');
    assert.notDeepEqual(problems('vod', change), []);
  });
}
