// Runs: what has been made, what is being made, and why something failed.
import {runs, videos} from '../api/calls';
import {subscribe} from '../api/events';
import type {LogEntry, NodeEvent, Run, RunNode, RunState, RunSummary} from '../api/types';
import {h, refresh, replace} from '../base/dom';
import {ago, date, took} from '../base/format';
import {go, type Page, type Params} from '../base/router';
import {graph} from '../graph/view';
import {announce, attempt, button, chip, confirm, empty, linkButton, select, toast, words} from '../ui/parts';
import {t} from '../texts';

const r = t.runs;
const link = (id: string): string => `/runs/${encodeURIComponent(id)}`;
const seconds = (run: RunSummary): number => ((run.ended_at ? new Date(run.ended_at).getTime() : Date.now()) - new Date(run.started_at).getTime()) / 1000;
const stateChip = (state: RunState): HTMLElement => chip(state, t.runState[state] ?? state);
const titleOf = (run: RunSummary): string => run.title || run.pipeline || run.id;
export const reasonOf = (run: RunSummary): string => (typeof run.reason === 'string' ? run.reason : run.reason?.message ?? '');

// numbers: how many of the last columns hold them
function table(label: string, heads: string[], numbers: number, body: HTMLElement): HTMLElement {
  return h('div', {class: 'table', tabindex: 0, role: 'group', 'aria-label': label}, h('table', {}, h('thead', {}, h('tr', {}, heads.map((head, index) => h('th', {scope: 'col', class: index >= heads.length - numbers ? 'number' : null}, head)))), body));
}

export function runList(): Page {
  const state = new URLSearchParams(location.search).get('state') ?? '';
  const body = h('div');
  const all: RunSummary[] = [];
  let next: string | null = null;
  const row = (run: RunSummary): HTMLElement => h('tr', {},
    h('td', {class: 'run-title'}, h('a', {href: link(run.id)}, titleOf(run))), h('td', {class: 'muted'}, run.pipeline), h('td', {}, stateChip(run.state)),
    h('td', {title: date(run.started_at)}, ago(run.started_at)), h('td', {class: 'number'}, took(seconds(run))), h('td', {class: 'number'}, run.tasks, run.cached > 0 && h('span', {class: 'muted'}, ` (${r.reused(run.cached)})`)));
  const load = async (): Promise<void> => {
    const list = await runs.list({state: state as RunState | '', cursor: next, limit: 50});
    all.push(...list.items);
    next = list.next;
    const more = button(t.more, () => void attempt(load, more));
    replace(body, all.length === 0 ? empty('flow', r.empty, r.emptyText) : [table(r.title, [r.of, r.pipeline, r.state, r.started, r.took, r.tasks], 2, h('tbody', {}, all.map(row))), next !== null && h('div', {class: 'below'}, more)]);
  };
  load().catch((error: unknown) => replace(body, empty('close', t.unreachable, words(error))));
  const filter = select([['', r.any], ...Object.entries(t.runState)], state, {'aria-label': r.state});
  filter.addEventListener('change', () => go(`/runs${filter.value ? `?state=${filter.value}` : ''}`));
  return {title: r.title, element: h('div', {class: 'page'}, h('div', {class: 'page-head'}, h('h1', {}, r.title), h('div', {class: 'filters'}, filter)), body)};
}

function logLine(entry: LogEntry): HTMLElement {
  const {time, event, node, item, level, message, ...rest} = entry;
  const more = Object.entries(rest).filter(([, value]) => value !== null && value !== '' && typeof value !== 'object').map(([name, value]) => `${name}=${String(value)}`).join(' ');
  const bad = level === 'error' || /fail/.test(`${typeof rest['state'] === 'string' ? rest['state'] : ''} ${event ?? ''}`);
  return h('li', {class: bad ? 'bad' : ''}, h('span', {class: 'muted'}, time ? new Date(time).toLocaleTimeString('en', {hour12: false}) : ''), ' ', [event, node && `${node}${item ? ` ${item}` : ''}`, message].filter(Boolean).join(' · '), ' ', h('span', {class: 'muted'}, more));
}

function logPart(run: Run): HTMLElement {
  const lines = h('ol', {class: 'log', tabindex: 0, 'aria-label': r.log});
  const node = select([['', r.allNodes], ...run.nodes.map((one) => [one.node, one.node] as const)], '', {'aria-label': r.node});
  const load = async (): Promise<void> => {
    const entries = await runs.logs(run.id, node.value || undefined);
    replace(lines, entries.length === 0 ? h('li', {class: 'muted'}, r.noLog) : entries.map(logLine));
  };
  node.addEventListener('change', () => void attempt(load));
  void attempt(load);
  return h('section', {class: 'panel', 'aria-label': r.log}, h('div', {class: 'panel-head'}, h('h2', {}, r.log), h('div', {class: 'filters'}, node, button(r.refresh, () => void attempt(load), {small: true, icon: 'retry'}))), lines);
}

function nodeRow(node: RunNode): HTMLElement {
  return h('tr', {}, h('th', {scope: 'row'}, node.node), h('td', {class: 'muted'}, node.op), h('td', {}, chip(node.state, t.nodeState[node.state] ?? node.state)), h('td', {class: 'number'}, node.tasks ? `${node.done} / ${node.tasks}` : node.done), h('td', {class: 'number'}, node.cached), h('td', {class: 'number'}, node.failed), h('td', {class: 'number'}, took(node.cpu_seconds)));
}

export async function runPage(params: Params): Promise<Page> {
  let run = await runs.get(params['id'] ?? '');
  const facts = h('p', {class: 'muted'});
  const actions = h('div', {class: 'actions'});
  const head = h('div', {class: 'page-head'}, h('div', {}, h('p', {class: 'eyebrow'}, h('a', {href: '/runs'}, r.title)), h('h1', {}, titleOf(run)), facts), actions);
  const reason = h('p', {class: 'run-reason', role: 'alert'});
  const rows = h('tbody');
  const drawing = graph(run);
  let timer: ReturnType<typeof setTimeout> | undefined;

  const underWay = (): boolean => run.state === 'running' || run.state === 'waiting';
  // What had the focus is gone: it goes on at what stands there now, not at the top of the page.
  const goOn = (): void => (actions.lastElementChild as HTMLElement | null)?.focus();
  function show(): void {
    const retry = button(r.retry, () => void attempt(async () => { await runs.retry(run.id); toast(r.retried); await reload(); listen(); }, retry), {icon: 'retry'});
    const cancel = button(r.cancel, () => void (async () => {
      const sure = await confirm(r.cancelConfirm, r.cancelText, r.cancel);
      if (!cancel.isConnected) goOn(); // it ended while it was asked
      else if (sure) await attempt(async () => { await runs.cancel(run.id); toast(r.cancelled); await reload(); });
    })(), {kind: 'danger', icon: 'stop'});
    refresh(facts, stateChip(run.state), ` ${run.pipeline} · ${date(run.started_at)} · ${took(seconds(run))} · ${run.done < run.tasks ? `${run.done} / ` : ''}${run.tasks} ${r.tasks.toLowerCase()}`, run.cached > 0 && ` · ${r.reused(run.cached)}`);
    const held = actions.contains(document.activeElement);
    refresh(actions, run.video && linkButton(r.video, `/watch/${encodeURIComponent(run.video)}`, {icon: 'playLine'}), underWay() ? cancel : run.state !== 'succeeded' && retry);
    if (held && !actions.contains(document.activeElement)) goOn();
    refresh(reason, reasonOf(run));
    reason.hidden = reason.textContent === '';
    run.nodes.forEach((node) => drawing.set(node.node, {state: node.state, done: node.done, total: node.tasks ?? 0}));
    refresh(rows, run.nodes.map(nodeRow));
  }
  async function reload(): Promise<void> {
    const wasUnderWay = underWay();
    run = await runs.get(run.id);
    show();
    if (wasUnderWay && !underWay()) announce(`${r.one}: ${t.runState[run.state] ?? run.state}`);
  }
  // While it runs it is asked for every two seconds; what its video says of nodes is drawn at once.
  let stop = (): void => undefined;
  function listen(): void {
    stop();
    clearTimeout(timer);
    const unsubscribe = run.video ? subscribe(videos.events(run.video), (name, data) => { if (name === 'node') drawing.set((data as NodeEvent).node, data as NodeEvent); }) : () => undefined;
    const look = async (): Promise<void> => {
      if (!document.hidden) await reload().catch(() => undefined); // the next look will do
      if (over) return;
      if (underWay()) timer = setTimeout(() => void look(), 2000);
      else stop();
    };
    let over = false;
    stop = () => { over = true; clearTimeout(timer); unsubscribe(); };
    timer = setTimeout(() => void look(), 2000);
  }
  show();
  if (underWay()) listen();
  return {
    title: `${r.one}: ${titleOf(run)}`,
    element: h('div', {class: 'page'}, head, reason, h('section', {class: 'panel', 'aria-label': r.steps}, drawing.element, table(r.steps, [r.node, r.op, r.state, r.done, r.cached, r.failed, r.cpu], 4, rows)), logPart(run)),
    dispose: () => stop(),
  };
}
