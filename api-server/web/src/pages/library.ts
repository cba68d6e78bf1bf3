// The library: search, filters, cards. What is asked for stands in the address, so that it can be shared and gone back to.
import {server, videos} from '../api/calls';
import {may, me} from '../api/http';
import type {Video} from '../api/types';
import {h, replace} from '../base/dom';
import {go, type Page} from '../base/router';
import {card, underWay} from '../ui/card';
import {announce, attempt, button, empty, linkButton, select, words, type Choices} from '../ui/parts';
import {t} from '../texts';

const again = 4000; // milliseconds until videos under way are looked at again

// Most who look around here will watch: the player, which is most of the page's code, is there before they press. For who saves data it comes when asked for.
function loadPlayer(): void {
  if (!(navigator as Navigator & {connection?: {saveData?: boolean}}).connection?.saveData) import('./watch').catch(() => undefined); // who presses is told
}

export function library(): Page {
  const asked = new URLSearchParams(location.search);
  const of = (name: string): string => asked.get(name) ?? '';
  const creator = may('creator');
  const owner = of('owner');
  const grid = h('ul', {class: 'grid', 'aria-label': t.library.videos, hidden: true});
  const below = h('div', {class: 'below'});
  const cards = new Map<string, {video: Video; element: HTMLElement}>();
  const stop = new AbortController();
  let next: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const change = (name: string, value: string): void => {
    const changed = new URLSearchParams(location.search);
    if (value) changed.set(name, value);
    else changed.delete(name);
    go(`/${changed.size > 0 ? `?${changed}` : ''}`);
  };
  const filter = (label: string, name: string, choices: Choices): HTMLElement => {
    const list = select(choices, of(name), {'aria-label': label, class: of(name) ? 'chosen' : ''});
    list.addEventListener('change', () => change(name, list.value));
    return list;
  };
  const isMine = (video: Video): boolean => video.owner.id === me()?.id || may('admin');
  const values = (): Record<string, string> => ({q: of('q'), status: of('status'), visibility: of('visibility'), category: of('category'), tag: of('tag'), owner, sort: of('sort')});

  function put(video: Video): void {
    const element = card(video, isMine(video));
    const before = cards.get(video.id);
    if (before && JSON.stringify(before.video) === JSON.stringify(video)) return;
    const focused = before?.element.contains(document.activeElement) ?? false;
    if (before) before.element.replaceWith(element);
    else grid.append(element);
    if (focused) element.querySelector('a')?.focus();
    cards.set(video.id, {video, element});
  }

  function finish(): void {
    if (cards.size === 0) {
      const searched = asked.size > 0;
      replace(below, searched
        ? empty('search', t.library.none, t.library.noneText, linkButton(t.library.clear, '/'))
        : empty('film', t.library.empty, creator ? t.library.emptyText : t.library.emptyViewer, creator && linkButton(t.nav.upload, '/upload', {kind: 'primary', icon: 'upload'})));
    } else {
      const more = button(t.more, () => void attempt(load, more));
      replace(below, next !== null && more);
    }
    grid.hidden = cards.size === 0;
    if (asked.size > 0) announce(t.library.found(cards.size, next !== null));
  }

  // On a new server the first thing to do is to make an administrator, where that is allowed.
  async function offerSetUp(): Promise<void> {
    const state = await server.setUpState().catch(() => null); // whoever wants to sign in is told
    if (state?.needed && state.allowed && !stop.signal.aborted) go('/sign-in', true);
  }

  async function load(): Promise<void> {
    if (!me() && asked.size === 0 && next === null) void offerSetUp();
    const list = await videos.list({...values(), limit: 24, cursor: next}, stop.signal);
    list.items.forEach(put);
    next = list.next;
    finish();
    look();
    if (cards.size > 0) loadPlayer();
  }

  // Videos under way are looked at again; new ones of the first page come with them.
  function look(): void {
    clearTimeout(timer);
    if (![...cards.values()].some(({video}) => underWay(video))) return;
    timer = setTimeout(() => {
      if (document.hidden) {
        look();
        return;
      }
      const ids = [...cards.values()].filter(({video}) => underWay(video)).slice(0, 12).map(({video}) => video.id);
      void Promise.all(ids.map((id) => videos.get(id).then(put, () => undefined))).then(() => { if (!stop.signal.aborted) look(); });
    }, again);
  }

  const shelf = h('div', {class: 'loading-grid', 'aria-hidden': 'true'}, Array.from({length: 8}, () => h('div', {class: 'ghost'})));
  replace(below, shelf);
  load().catch((error: unknown) => { if (!stop.signal.aborted) replace(below, empty('close', t.unreachable, words(error), button(t.retry, () => go(location.pathname + location.search, true)))); });

  const sorts = Object.entries(t.library.sorts).map(([value, label]) => [value === 'new' ? '' : value, label] as const);
  const status: Choices = [['', t.library.anyStatus], ...Object.entries(t.status)];
  const visibility: Choices = [['', t.library.anyVisibility], ...Object.entries(t.visibility)];
  const title = of('q') ? t.library.results(of('q')) : t.library.title;
  const whose = (label: string, value: string): HTMLElement => h('button', {type: 'button', 'aria-pressed': String(owner === value), on: {click: () => change('owner', value)}}, label);
  const element = h('div', {class: 'page'},
    h('div', {class: 'page-head'}, h('h1', {}, title),
      h('div', {class: 'filters', role: 'group', 'aria-label': t.library.filters},
        creator && h('div', {class: 'segments', role: 'group', 'aria-label': t.library.whose}, whose(t.library.all, ''), whose(t.library.mine, 'me')),
        me() && filter(t.library.status, 'status', status), me() && filter(t.library.visibility, 'visibility', visibility), filter(t.library.sort, 'sort', sorts))),
    (of('category') || of('tag')) && h('p', {class: 'active-filters'}, [of('category'), of('tag') && `#${of('tag')}`].filter(Boolean).join(' '), ' ', linkButton(t.library.clear, '/', {kind: 'quiet', small: true})),
    grid, below);
  return {title, element, dispose() { stop.abort(); clearTimeout(timer); }};
}
