// A run's graph, drawn once and changed as events come.
import type {NodeState, Run, RunNode} from '../api/types';
import {h, svg} from '../base/dom';
import {t} from '../texts';
import {layout, type Size} from './layout';

const size: Size = {width: 138, height: 50, gapX: 34, gapY: 16};
const edge = 6; // around the drawing

export interface Graph {
  element: HTMLElement;
  set: (node: string, change: {state: NodeState; done: number; total: number}) => void;
}

// Bent in the middle between two layers.
function path(points: readonly [number, number][]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let [x, y] = first;
  let d = `M${x} ${y}`;
  for (const [toX, toY] of rest) {
    const middle = (x + toX) / 2;
    d += ` C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  }
  return d;
}

const short = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function box(node: RunNode): {element: SVGGElement; set: (state: NodeState, done: number, total: number) => void} {
  const bar = svg('rect', {class: 'node-done', x: 10, y: size.height - 9, width: size.width - 20, height: 3, rx: 1.5});
  const numbers = svg('text', {class: 'node-count', x: size.width - 10, y: 20, 'text-anchor': 'end'});
  const title = svg('title');
  let said = '';
  const element = svg('g', {role: 'img'}, title, // what it shows is said in one sentence
    svg('rect', {class: 'node-box', width: size.width, height: size.height, rx: 9}),
    svg('text', {class: 'node-name', x: 10, y: 20}, short(node.node, 12)),
    svg('text', {class: 'node-op', x: 10, y: 34}, short(node.op, 21)),
    svg('rect', {class: 'node-track', x: 10, y: size.height - 9, width: size.width - 20, height: 3, rx: 1.5}), bar, numbers);
  return {
    element,
    set(state, done, total) {
      const finished = state === 'succeeded' || state === 'cached' || state === 'skipped';
      const fraction = finished ? 1 : total > 0 ? Math.min(1, done / total) : 0;
      element.setAttribute('class', `node ${state}`);
      bar.style.transform = `scaleX(${fraction})`;
      numbers.textContent = total > 1 ? `${done}/${total}` : '';
      const says = `${node.node} (${node.op}): ${t.nodeState[state] ?? state}${total > 0 ? `, ${done}/${total}` : ''}`;
      if (says === said) return;
      said = title.textContent = says;
      element.setAttribute('aria-label', says);
    },
  };
}

export function graph(run: Run): Graph {
  const names = run.nodes.map((node) => node.node);
  const plan = layout(names, run.edges, size);
  const places = new Map(plan.boxes.map((one) => [one.name, one]));
  const boxes = new Map(run.nodes.map((node) => [node.node, box(node)]));
  const lines = plan.lines.map((line) => ({...line, element: svg('path', {class: 'edge', d: path(line.points)})}));
  const width = plan.width + 2 * edge;
  const drawing = svg('svg', {viewBox: `${-edge} ${-edge} ${width} ${plan.height + 2 * edge}`, role: 'presentation', class: 'graph-drawing'});
  drawing.style.width = `${width}px`;
  drawing.style.minWidth = `${Math.min(width, 760)}px`; // smaller than that its words can't be read: it is scrolled instead
  for (const line of lines) drawing.append(line.element);
  for (const [name, one] of boxes) {
    one.element.setAttribute('transform', `translate(${places.get(name)?.x ?? 0} ${places.get(name)?.y ?? 0})`);
    drawing.append(one.element);
  }
  const element = h('div', {class: 'graph', tabindex: 0, role: 'group', 'aria-label': t.watch.graphLabel}, drawing);
  const set: Graph['set'] = (node, change) => {
    boxes.get(node)?.set(change.state, change.done, change.total);
    for (const line of lines) if (line.to === node) line.element.classList.toggle('flowing', change.state === 'running');
  };
  run.nodes.forEach((node) => set(node.node, {state: node.state, done: node.done, total: node.tasks ?? 0}));
  return {element, set};
}
