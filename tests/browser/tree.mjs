// SPDX-License-Identifier: MIT
// Makes the clip and publishes it with pipelines/vod.yaml under MILLRACE_TREE. Runs once, before the tests that play it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {clip, makeClip} from './clip.mjs';

const {MILLRACE: millrace, MILLRACE_SOURCE: source, MILLRACE_TREE: tree} = process.env;
assert.ok(millrace && source && tree, 'MILLRACE, MILLRACE_SOURCE and MILLRACE_TREE name the command, the source tree and the folder to make');
rmSync(tree, {recursive: true, force: true});
mkdirSync(tree, {recursive: true});
const input = makeClip(tree);
execFileSync(millrace, ['run', join(source, 'pipelines', 'vod.yaml'), '--input', input, '--output', join(tree, 'out'), '--state', join(tree, 'state'),
  '--param', 'preset=veryfast', '--param', `segment_duration=${clip.segmentSeconds}s`, '--param', 'ladder=[{height: 360, max_bitrate: 600k}, {height: 180, max_bitrate: 150k}]'],
{stdio: ['ignore', 'inherit', 'inherit']});
