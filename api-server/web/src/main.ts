// The page: who is asking, the frame around every page, and which page an address opens. Pages are loaded when they are first asked for.
import './styles/base.css';
import './styles/parts.css';
import {server} from './api/calls';
import {may, me, onIdentity, Problem, refresh} from './api/http';
import {h, replace, type Child} from './base/dom';
import {icon, type IconName} from './base/icons';
import {go, match, reopen, start, type Page, type Params} from './base/router';
import {emptyPage, linkButton, notices, toast, button, words} from './ui/parts';
import {t} from './texts';

type Who = 'anyone' | 'signed in' | 'creator' | 'admin';
interface Place {
  path: string;
  who: Who;
  open: (params: Params) => Promise<Page>;
}

const places: Place[] = [
  {path: '/', who: 'anyone', open: async () => (await import('./pages/library')).library()},
  {path: '/watch/{id}', who: 'anyone', open: async (params) => (await import('./pages/watch')).watch(params)},
  {path: '/embed/{id}', who: 'anyone', open: async (params) => (await import('./pages/watch')).embed(params)},
  {path: '/upload', who: 'creator', open: async () => (await import('./pages/upload')).upload()},
  {path: '/videos/{id}', who: 'creator', open: async (params) => (await import('./pages/edit')).edit(params)},
  {path: '/runs', who: 'creator', open: async () => (await import('./pages/runs')).runList()},
  {path: '/runs/{id}', who: 'creator', open: async (params) => (await import('./pages/runs')).runPage(params)},
  {path: '/account', who: 'signed in', open: async () => (await import('./pages/account')).account()},
  {path: '/admin', who: 'admin', open: async () => (await import('./pages/admin')).admin()},
  {path: '/sign-in', who: 'anyone', open: async () => (await import('./pages/session')).signIn()},
  {path: '/register', who: 'anyone', open: async () => (await import('./pages/session')).register()},
];

const embedded = location.pathname.startsWith('/embed/');
const header = h('header', {class: 'top'});
const main = h('main', {id: 'content', tabindex: '-1'});
let current: Page | null = null;
let opening = 0;

function navigation(): Child {
  const item = (label: string, href: string, name: IconName): HTMLElement => h('a', {href, class: 'nav-item', 'aria-current': location.pathname === href ? 'page' : null}, icon(name), h('span', {}, label));
  return h('nav', {'aria-label': t.nav.label},
    item(t.nav.library, '/', 'film'), may('creator') && item(t.nav.runs, '/runs', 'flow'), may('admin') && item(t.nav.admin, '/admin', 'chart'),
    me() ? item(t.nav.account, '/account', 'account') : item(t.nav.signIn, '/sign-in', 'account'),
    may('creator') && h('a', {href: '/upload', class: 'button primary nav-upload', 'aria-current': location.pathname === '/upload' ? 'page' : null}, icon('upload'), h('span', {}, t.nav.upload)));
}

function showHeader(): void {
  const search = h('input', {type: 'search', name: 'q', 'aria-label': t.search.label, placeholder: t.search.placeholder, value: location.pathname === '/' ? new URLSearchParams(location.search).get('q') : null});
  const form = h('form', {class: 'search', role: 'search', action: '/'}, icon('search'), search);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go(search.value.trim() ? `/?q=${encodeURIComponent(search.value.trim())}` : '/');
  });
  replace(header, h('a', {href: '/', class: 'brand'}, h('img', {src: '/mark.svg', alt: '', width: 28, height: 28}), h('span', {}, t.product)), form, navigation());
}

// The server's name and version, and how to speak to it.
function foot(): HTMLElement {
  const line = h('p', {}, h('a', {href: '/api/v1/docs'}, t.footer.api));
  server.info().then((info) => replace(line, t.footer.by(info.name, info.version), ' · ', h('a', {href: '/api/v1/docs'}, t.footer.api)), () => undefined); // the link is enough
  return h('footer', {class: 'foot', 'aria-label': t.footer.label}, line);
}

const allowed = (who: Who): boolean => who === 'anyone' || (who === 'signed in' ? me() !== null : may(who));

async function open(params: Params, place: Place | undefined): Promise<Page> {
  const lost = (title: string, text: string, ...actions: Child[]): Page => ({title, element: emptyPage('search', title, text, embedded ? null : actions)}); // in a frame of another page a link of ours leads nowhere
  const home = linkButton(t.notFound.home, '/', {kind: 'primary'});
  if (!place) return lost(t.notFound.title, t.notFound.text, home);
  if (!allowed(place.who)) {
    if (me()) return lost(t.notFound.title, t.notFound.text, home);
    go(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`, true);
    return lost(t.nav.signIn, '');
  }
  try {
    return await place.open(params);
  } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 403)) return lost(t.notFound.title, t.notFound.text, home, !me() && linkButton(t.nav.signIn, `/sign-in?to=${encodeURIComponent(location.pathname)}`));
    return lost(t.unreachable, words(error), button(t.retry, reopen, {kind: 'primary'}));
  }
}

// Where a screen reader goes on. It takes the focus only now: what takes it always is told as something to press.
function goOnAt(place: HTMLElement): void {
  if (!place.hasAttribute('tabindex')) {
    place.tabIndex = -1;
    place.addEventListener('blur', () => place.removeAttribute('tabindex'), {once: true});
  }
  place.focus({preventScroll: true});
}

async function show(): Promise<void> {
  const mine = ++opening;
  const path = location.pathname.replace(/(.)\/$/, '$1');
  let params: Params = {};
  const place = places.find((one) => {
    const found = match(one.path, path);
    if (found) params = found;
    return found !== null;
  });
  main.setAttribute('aria-busy', 'true');
  const page = await open(params, place);
  if (mine !== opening) {
    page.dispose?.();
    return;
  }
  const first = current === null;
  current?.dispose?.();
  current = page;
  document.title = page.title === t.product ? page.title : `${page.title} · ${t.product}`;
  if (!embedded) showHeader();
  replace(main, page.element);
  main.removeAttribute('aria-busy');
  if (first) return;
  window.scrollTo(0, 0);
  goOnAt(page.element.querySelector<HTMLElement>('h1') ?? main);
}

async function begin(): Promise<void> {
  document.body.classList.toggle('embedded', embedded);
  document.body.append(...(embedded ? [main] : [h('a', {href: '#content', class: 'skip'}, t.skip), header, main, foot()]), ...notices);
  if (!embedded) await refresh();
  onIdentity(showHeader);
  start(() => void show());
  if (embedded || !may('creator')) return;
  const {queue} = await import('./uploads/queue');
  queue.addEventListener('done', (event) => { if (location.pathname !== '/upload') toast(t.upload.announceDone((event as CustomEvent<{name: string}>).detail.name)); });
}

void begin();
