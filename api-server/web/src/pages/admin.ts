// For administrators: numbers, charts of the last minutes, people.
import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';
import {server, users} from '../api/calls';
import {me} from '../api/http';
import type {ServerStats, User, VideoStatus} from '../api/types';
import {h, refresh, replace} from '../base/dom';
import {bytes, count, date, day, took} from '../base/format';
import type {Page} from '../base/router';
import {bars} from '../ui/bars';
import {attempt, button, confirm, linkButton, section, select, selectField, textField, toast, type Choices} from '../ui/parts';
import {t} from '../texts';

const a = t.admin;
const every = 5000; // milliseconds
const kept = 120; // samples: ten minutes
const shortest = 60; // seconds that a chart shows at least
const roles: Choices = Object.entries(t.roles);

function chart(name: string): {element: HTMLElement; add: (time: number, value: number) => void; dispose: () => void} {
  const times: number[] = [];
  const values: number[] = [];
  const box = h('div', {class: 'chart', role: 'img', 'aria-label': a.chartLabel(name)});
  let plot: uPlot | null = null;
  const color = (property: string): string => getComputedStyle(box).getPropertyValue(property).trim();
  const draw = (): void => {
    plot?.destroy();
    const time = (_plot: uPlot, at: number[]): string[] => at.map((one) => new Date(one * 1000).toLocaleTimeString('en', {hour: '2-digit', minute: '2-digit', hour12: false}));
    const axis = {stroke: color('--muted'), grid: {stroke: color('--line'), width: 1}, ticks: {show: false}, font: '11px system-ui'};
    plot = new uPlot({width: box.clientWidth, height: 150, legend: {show: false}, cursor: {y: false}, scales: {x: {range: (_plot, low, high) => [Math.min(low, high - shortest), high]}, y: {range: (_plot, _low, high) => [0, Math.max(1, high * 1.15)]}}, series: [{}, {stroke: color('--accent'), fill: color('--accent-soft'), width: 2, points: {show: false}}], axes: [{...axis, values: time, space: 60}, {...axis, size: 36}]}, [times, values], box);
  };
  const sized = new ResizeObserver(() => plot?.setSize({width: box.clientWidth, height: 150}));
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', draw);
  sized.observe(box);
  return {
    element: h('figure', {class: 'figure'}, h('figcaption', {}, name), box),
    add(time, value) {
      times.push(time / 1000);
      values.push(value);
      if (times.length > kept) { times.shift(); values.shift(); }
      if (plot) plot.setData([times, values]);
      else draw();
    },
    dispose() { sized.disconnect(); scheme.removeEventListener('change', draw); plot?.destroy(); },
  };
}

const tile = (label: string, value: string | number, small = ''): HTMLElement => h('div', {class: 'tile'}, h('dt', {}, label), h('dd', {}, value, small && h('small', {}, small)));
const mean = (seconds: number | null): [string, string] => (seconds === null ? ['–', a.never] : [took(seconds), a.mean]);

function tilesOf(stats: ServerStats): HTMLElement[] {
  const {videos, storage, uploads, processing, http} = stats;
  const known = Object.entries(videos).filter(([, many]) => many > 0).map(([status, many]) => `${many} ${t.status[status as VideoStatus].toLowerCase()}`);
  return [
    tile(a.videos, Object.values(videos).reduce((sum, many) => sum + many, 0), known.join(', ')), tile(a.views, count(stats.views.total)),
    tile(a.storage, bytes(storage.sources_bytes), storage.free_bytes === null ? '' : a.free(bytes(storage.free_bytes))), tile(a.people, stats.users),
    tile(a.queue, processing.queue_length), tile(a.uploads, uploads.open), tile(a.playable, ...mean(processing.mean_seconds_to_playable)), tile(a.processing, ...mean(processing.mean_seconds)),
    tile(a.runsDone, processing.runs_succeeded), tile(a.runsFailed, processing.runs_failed), tile(a.tasksDone, count(processing.tasks_done + processing.tasks_cached), a.tasksReused(count(processing.tasks_cached))),
    tile(a.uploadsDone, uploads.completed), tile(a.uploadsFailed, uploads.failed), tile(a.connections, http.connections),
  ];
}

function userRow(user: User, gone: () => Promise<void>): HTMLElement {
  const self = user.id === me()?.id;
  const role = select(roles, user.role, {'aria-label': `${t.account.role}: ${user.email}`, disabled: self});
  role.addEventListener('change', () => void attempt(async () => { await users.change(user.id, {role: role.value as User['role']}); toast(a.changed); }));
  const active = h('input', {type: 'checkbox', checked: !user.disabled, disabled: self, 'aria-label': `${a.active}: ${user.email}`});
  active.addEventListener('change', () => void attempt(async () => { await users.change(user.id, {disabled: !active.checked}); toast(a.changed); }));
  const quota = h('input', {type: 'number', min: 0, step: 1, class: 'quota', value: user.quota_bytes ? user.quota_bytes / 1e9 : '', 'aria-label': `${a.quota} ${a.quotaHelp}: ${user.email}`});
  quota.addEventListener('change', () => void attempt(async () => { await users.change(user.id, {quota_bytes: quota.value ? Math.round(Number(quota.value) * 1e9) : null}); toast(a.changed); }));
  const remove = button(a.remove, () => void (async () => { if (await confirm(a.removeConfirm(user.email), a.removeText, a.remove)) await attempt(async () => { await users.remove(user.id); await gone(); }); })(), {small: true});
  remove.disabled = self;
  remove.setAttribute('aria-label', `${a.remove}: ${user.email}`);
  return h('tr', {}, h('th', {scope: 'row'}, user.name, ' ', h('span', {class: 'muted block'}, user.email)), h('td', {}, role), h('td', {}, active), h('td', {class: 'number'}, bytes(user.used_bytes ?? 0)), h('td', {}, quota), h('td', {class: 'muted'}, date(user.created_at)), h('td', {}, remove));
}

function usersPart(): HTMLElement {
  const rows = h('tbody');
  const show = async (): Promise<void> => {
    const all: User[] = [];
    for (let next: string | null | undefined; next !== null && all.length < 1000;) {
      const list = await users.list(next);
      all.push(...list.items);
      next = list.next;
    }
    replace(rows, all.map((user) => userRow(user, show)));
  };
  void attempt(show);
  const name = textField(t.session.name, {required: true});
  const email = textField(t.session.email, {type: 'email', required: true, autocomplete: 'off'});
  const password = textField(t.session.password, {type: 'password', required: true, minlength: 10, autocomplete: 'new-password'}, t.session.passwordHelp);
  const role = selectField(t.account.role, roles, 'creator');
  const add = h('button', {type: 'submit', class: 'button plain'}, a.add);
  const form = h('form', {class: 'form two'}, name.element, email.element, password.element, role.element, h('div', {class: 'actions'}, add));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      await users.create({name: name.input.value.trim(), email: email.input.value.trim(), password: password.input.value, role: role.input.value});
      form.reset();
      toast(a.added);
      await show();
    }, add, {name, email, password});
  });
  const heads = [t.session.name, t.account.role, a.active, a.used, `${a.quota} (GB)`, a.since, a.remove];
  return section(a.users, h('div', {class: 'table', tabindex: 0, role: 'group', 'aria-label': a.users}, h('table', {}, h('thead', {}, h('tr', {}, heads.map((head) => h('th', {scope: 'col'}, head)))), rows)), h('details', {}, h('summary', {}, a.add), form));
}

export function admin(): Page {
  const tiles = h('dl', {class: 'tiles'});
  const version = h('p', {class: 'muted'});
  const days = h('div');
  const queue = chart(a.queue);
  const requests = chart(a.requests);
  const live = h('div', {class: 'charts'}, queue.element, requests.element);
  let before: {time: number; requests: number} | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  let twice = false;
  const draw = (stats: ServerStats, numbers: Map<string, number> | null): void => {
    const time = Date.now();
    version.textContent = a.up(stats.version, took(stats.uptime_seconds));
    refresh(tiles, tilesOf(stats));
    refresh(days, bars(a.viewsByDay, stats.views.days.map((one) => ({label: day(one.day), value: one.views})), [t.edit.daysAgo, t.edit.today]));
    queue.add(time, stats.processing.queue_length);
    const now = {time, requests: numbers?.get('millrace_http_requests_total') ?? 0};
    if (before) requests.add(time, (Math.max(0, now.requests - before.requests) * 1000) / (time - before.time));
    before = now;
    requests.element.hidden = numbers === null; // a proxy may keep /metrics to itself
  };
  const look = async (): Promise<void> => {
    const [stats, numbers] = await Promise.all([server.stats(), server.metrics().catch(() => null)]).catch(() => [null, null] as const); // the charts have a gap then
    if (over) return;
    if (stats) draw(stats, numbers);
    timer = setTimeout(() => void look(), before && !twice ? 1000 : every); // two numbers make the first piece of a line
    twice = before !== null;
  };
  void look();
  return {
    title: a.title,
    element: h('div', {class: 'page'}, h('div', {class: 'page-head'}, h('div', {}, h('h1', {}, a.title), version), linkButton(t.footer.api, '/api/v1/docs', {icon: 'code'})), tiles,
      section(a.charts, live), section(a.views, days), usersPart()),
    dispose() { over = true; clearTimeout(timer); queue.dispose(); requests.dispose(); },
  };
}
