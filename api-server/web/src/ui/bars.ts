// A row of bars: how much of something there was in each of a few parts.
import {h, svg} from '../base/dom';

export interface Bar {
  label: string; // of the part, for who points at it
  value: number;
}

const width = 300;
const height = 72;

// title: what is counted; ends: words below the first and the last bar
export function bars(title: string, all: readonly Bar[], ends: readonly [string, string]): HTMLElement {
  const most = Math.max(1, ...all.map((one) => one.value));
  const step = width / Math.max(1, all.length);
  const drawn = all.map((one, index) => {
    const tall = one.value > 0 ? Math.max(2, (one.value / most) * height) : 1;
    return svg('rect', {class: one.value > 0 ? 'bar-full' : 'bar-none', x: index * step + step * 0.12, y: height - tall, width: step * 0.76, height: tall, rx: Math.min(2, step / 5)}, svg('title', {}, `${one.label}: ${one.value}`));
  });
  const said = all.filter((one) => one.value > 0).map((one) => `${one.label}: ${one.value}`).join(', ');
  return h('figure', {class: 'bars'}, h('figcaption', {}, title),
    svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': said ? `${title}. ${said}` : title, preserveAspectRatio: 'none'}, drawn),
    h('div', {class: 'bars-ends', 'aria-hidden': 'true'}, h('span', {}, ends[0]), h('span', {}, ends[1])));
}
