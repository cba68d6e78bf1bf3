// What reads other people's texts: event streams, storyboards, addresses; and what writes numbers for people.
import assert from 'node:assert/strict';
import test from 'node:test';
import {Reader} from '../src/api/events';
import {parse as metrics} from '../src/api/metrics';
import {ago, bytes, clock, percent, spoken} from '../src/base/format';
import {match} from '../src/base/router';
import {at, parse} from '../src/player/storyboard';

test('an event stream cut anywhere gives the same messages', () => {
  const text = ': hello\r\n\r\nid: 7\r\nevent: node\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: x\n\nevent: end\ndata\n\n';
  const whole = [{id: '7', event: 'node', data: '{"a":\n1}'}, {id: '7', event: 'message', data: 'x'}, {id: '7', event: 'end', data: ''}];
  assert.deepEqual(new Reader().take(text), whole);
  for (let cut = 0; cut <= text.length; cut++) {
    const reader = new Reader();
    assert.deepEqual([...reader.take(text.slice(0, cut)), ...reader.take(text.slice(cut))], whole, `cut at ${cut}`);
  }
});

test('a storyboard is read, and what is broken in it is passed over', () => {
  const text = 'WEBVTT\r\n\r\n00:00.000 --> 00:05.000\r\nsheet.jpg#xywh=0,0,160,90\r\n\r\n1\n01:00:05.500 --> 01:00:10.000 align:start\nsheet.jpg#xywh=160,0,160,90\n\n00:10.000 --> 00:15.000\nbroken.jpg\n';
  const pictures = parse(text, 'https://host/media/t/v/storyboard.vtt');
  assert.equal(pictures.length, 2);
  assert.deepEqual(pictures[1], {start: 3605.5, end: 3610, url: 'https://host/media/t/v/sheet.jpg', x: 160, y: 0, width: 160, height: 90});
  assert.equal(at(pictures, 4)?.x, 0);
  assert.equal(at(pictures, 3606)?.x, 160);
  assert.equal(at(pictures, 3610.5)?.x, 160);
  assert.equal(at(pictures, 1e9), null, 'not made yet');
  assert.equal(at([], 4), null);
});

test('addresses name pages', () => {
  assert.deepEqual(match('/watch/{id}', '/watch/v_1'), {id: 'v_1'});
  assert.deepEqual(match('/watch/{id}', '/watch/a%2Fb'), {id: 'a/b'});
  assert.equal(match('/watch/{id}', '/watch/'), null);
  assert.equal(match('/watch/{id}', '/watch/%'), null);
  assert.equal(match('/watch/{id}', '/watch/a/b'), null);
  assert.deepEqual(match('/', '/'), {});
});

test('numbers and times as people read them', () => {
  assert.deepEqual([0, 65, 3725, NaN].map(clock), ['0:00', '1:05', '1:02:05', '0:00']);
  assert.deepEqual([0, 61, 3600].map(spoken), ['0 seconds', '1 minute 1 second', '1 hour']);
  assert.deepEqual([0, 999, 1500, 3e9].map(bytes), ['0 B', '999 B', '1.5 kB', '3.0 GB']);
  assert.deepEqual([-1, 0.999, 1, 2].map(percent), ['0%', '99%', '100%', '100%']);
  assert.equal(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T02:00:00Z')), '2 hours ago');
  assert.equal(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:10Z')), 'just now');
});

test('metrics are summed over their labels', () => {
  const sums = metrics('# HELP a b\n# TYPE a counter\na 3\nb{route="/x y",le="1"} 2\nb{route="}"} 0.5\nb_bucket{le="1"} 9\nc NaN\n\nbroken');
  assert.deepEqual([...sums], [['a', 3], ['b', 2.5]]);
});
