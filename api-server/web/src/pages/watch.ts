// Watching a video, from the moment it is playable.
import '../styles/player.css';
import {videos} from '../api/calls';
import {may, me} from '../api/http';
import type {Video} from '../api/types';
import {h, replace} from '../base/dom';
import {count, date} from '../base/format';
import {icon} from '../base/icons';
import type {Page, Params} from '../base/router';
import {player, type Player} from '../player/player';
import {titleOf, underWay} from '../ui/card';
import {attempt, button, chip, copy, copyField, linkButton} from '../ui/parts';
import {t} from '../texts';
import {liveProgress} from './progress';

export const watchLink = (video: Video): string => `${location.origin}/watch/${encodeURIComponent(video.id)}`;
export const embedCode = (video: Video): string =>
  `<iframe src="${location.origin}/embed/${encodeURIComponent(video.id)}" width="640" height="360" title="Video" allow="fullscreen; picture-in-picture" allowfullscreen></iframe>`;

// A link that nobody else can open yet is copied with a word about it.
export const copiedWord = (video: Video): string => (video.visibility === 'private' ? t.watch.copiedPrivate : t.watch.copied);

// Before there is a picture.
function waiting(video: Video): HTMLElement {
  const failed = video.status === 'failed';
  return h('div', {class: 'player-wait'}, failed ? icon('close') : h('div', {class: 'spinner shown', 'aria-hidden': 'true'}),
    h('p', {class: 'wait-title'}, failed ? t.watch.failed : video.status === 'created' ? t.watch.waitingFile : t.watch.notYet), h('p', {}, failed ? video.reason?.message : t.watch.notYetText));
}

function about(video: Video, own: boolean): HTMLElement {
  const facts = [t.watch.by(video.owner.name), t.views(count(video.views), video.views === 1), date(video.published_at ?? video.created_at)];
  const links = h('div', {class: 'share', hidden: true}, copyField(t.watch.link, watchLink(video), copiedWord(video)), copyField(t.watch.embed, embedCode(video), copiedWord(video)));
  const share = button(t.watch.share, () => {
    links.hidden = !links.hidden;
    share.setAttribute('aria-expanded', String(!links.hidden));
    links.querySelector('input')?.focus();
  }, {icon: 'code'});
  share.setAttribute('aria-expanded', 'false');
  const tag = (name: string): HTMLElement => h('a', {class: 'tag', href: `/?tag=${encodeURIComponent(name)}`}, `#${name}`);
  return h('div', {class: 'about'},
    h('div', {class: 'about-head'},
      h('p', {class: 'muted'}, facts.join(' · '), ' ', video.visibility !== 'public' && chip('outline', t.visibility[video.visibility])),
      h('div', {class: 'actions'}, button(t.watch.copy, () => void attempt(() => copy(watchLink(video), copiedWord(video))), {icon: 'link'}), share,
        own && video.run && may('creator') && linkButton(t.watch.run, `/runs/${encodeURIComponent(video.run)}`, {icon: 'flow'}), own && linkButton(t.watch.edit, `/videos/${encodeURIComponent(video.id)}`, {icon: 'edit'}))),
    links,
    video.description && h('p', {class: 'description'}, video.description),
    (video.category || video.tags.length > 0) && h('p', {class: 'tags'}, video.category && h('a', {class: 'tag', href: `/?category=${encodeURIComponent(video.category)}`}, video.category), video.tags.map(tag)));
}

// How many seconds from the start are there in every quality. Chunks are made in the order of time.
const made = (video: Video): number | null => (video.complete ? null : (video.duration ?? 0) * video.progress);

export async function watch(params: Params): Promise<Page> {
  let video = await videos.get(params['id'] ?? '');
  const own = me()?.id === video.owner.id || may('admin');
  const stage = h('div', {class: 'stage'});
  let playing: Player | null = null;

  const show = (now: Video): void => {
    video = now;
    if (!playing && video.playable) {
      playing = player(video);
      replace(stage, playing.element);
    } else if (!playing) {
      replace(stage, waiting(video));
    }
    playing?.setMade(made(video));
  };
  show(video);
  const live = underWay(video) || video.status === 'created' || video.status === 'failed' ? liveProgress(video, own && may('creator'), show) : null;
  const keys = (event: KeyboardEvent): void => {
    const target = event.target;
    if (target instanceof HTMLElement && target.closest('input, textarea, select, button, a, dialog, [contenteditable], .graph') && !target.closest('.player')) return;
    playing?.key(event);
  };
  document.addEventListener('keydown', keys);
  return {
    title: titleOf(video),
    element: h('div', {class: 'page watch'}, h('h1', {}, titleOf(video)), stage, live?.element, about(video, own)), // the title first: who goes on from it comes to the player
    dispose() {
      document.removeEventListener('keydown', keys);
      live?.dispose();
      playing?.dispose();
    },
  };
}

// Only the player, for other people's pages.
export async function embed(params: Params): Promise<Page> {
  const video = await videos.get(params['id'] ?? '');
  const playing = video.playable ? player(video, {embedded: true}) : null;
  return {title: titleOf(video), element: h('div', {class: 'embed'}, h('h1', {class: 'visually-hidden'}, titleOf(video)), playing?.element ?? waiting(video)), dispose: () => playing?.dispose()};
}
