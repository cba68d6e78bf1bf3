// The graph's layout: layers, what is left out, and that nothing lies on anything else.
import assert from 'node:assert/strict';
import test from 'node:test';
import {layers, layout, reduce} from '../src/graph/layout';

const names = ['probe', 'ladder', 'plan', 'analysis', 'video', 'audio', 'poster', 'package', 'publish'];
const edges: [string, string][] = [
  ['probe', 'ladder'], ['probe', 'plan'], ['probe', 'poster'], ['plan', 'analysis'], ['plan', 'video'], ['analysis', 'video'], ['ladder', 'video'], ['plan', 'audio'], ['probe', 'audio'],
  ['plan', 'package'], ['ladder', 'package'], ['video', 'package'], ['audio', 'package'], ['poster', 'package'], ['package', 'publish'],
];
const size = {width: 100, height: 40, gapX: 30, gapY: 10};

test('edges that others imply are left out, and only those', () => {
  const kept = reduce(names, edges).map(([from, to]) => `${from}>${to}`).sort();
  assert.deepEqual(kept, ['analysis>video', 'audio>package', 'ladder>video', 'package>publish', 'plan>analysis', 'plan>audio', 'poster>package', 'probe>ladder', 'probe>plan', 'probe>poster', 'video>package']);
});

test('each node stands right of all that it needs', () => {
  const layer = layers(names, edges);
  for (const [from, to] of edges) assert.ok((layer.get(from) ?? 0) < (layer.get(to) ?? 0), `${from} before ${to}`);
});

test('boxes keep apart and inside the drawing', () => {
  const plan = layout(names, edges, size);
  assert.equal(plan.boxes.length, names.length);
  for (const a of plan.boxes) {
    assert.ok(a.x >= 0 && a.y >= 0 && a.x + size.width <= plan.width && a.y + size.height <= plan.height, `${a.name} is inside`);
    for (const b of plan.boxes) assert.ok(a === b || Math.abs(a.x - b.x) >= size.width || Math.abs(a.y - b.y) >= size.height, `${a.name} and ${b.name} keep apart`);
  }
});

test('a line begins and ends at its boxes', () => {
  const plan = layout(names, edges, size);
  for (const line of plan.lines) {
    const from = plan.boxes.find((box) => box.name === line.from);
    const to = plan.boxes.find((box) => box.name === line.to);
    assert.deepEqual(line.points[0], [(from?.x ?? 0) + size.width, (from?.y ?? 0) + size.height / 2]);
    assert.deepEqual(line.points.at(-1), [to?.x, (to?.y ?? 0) + size.height / 2]);
  }
});

test('nothing, a cycle, unknown names and loops are drawn without harm', () => {
  assert.deepEqual(layout([], [], size).boxes, []);
  assert.equal(layout(['a', 'b'], [['a', 'b'], ['b', 'a'], ['a', 'a'], ['a', 'gone']], size).boxes.length, 2);
});
