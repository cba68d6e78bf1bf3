// A video as a card of the library, and the words for its state.
import type {Video} from '../api/types';
import {h} from '../base/dom';
import {ago, clock, count, percent} from '../base/format';
import {icon} from '../base/icons';
import {t} from '../texts';
import {chip, progress} from './parts';

export const titleOf = (video: Video): string => video.title || t.edit.untitled;
export const underWay = (video: Video): boolean => video.status === 'uploading' || video.status === 'processing' || (video.status === 'ready' && !video.complete);

export function statusChip(video: Video): HTMLElement | null {
  if (video.status === 'ready' && video.complete) return null;
  if (video.status === 'failed' || video.status === 'created') return chip(video.status, t.status[video.status]);
  const working = video.status === 'ready' ? t.status.processing : t.status[video.status];
  return chip('working', `${working} ${percent(video.progress)}`);
}

function poster(video: Video): HTMLElement {
  const frame = h('div', {class: 'poster'});
  if (video.poster_url) {
    const picture = h('img', {src: video.poster_url, alt: '', loading: 'lazy', decoding: 'async'});
    picture.addEventListener('error', () => picture.replaceWith(icon('film')), {once: true});
    frame.append(picture);
  } else {
    frame.append(icon('film'));
  }
  const chips = statusChip(video);
  if (chips) frame.append(h('div', {class: 'poster-status'}, chips));
  if (video.duration !== null) frame.append(h('span', {class: 'poster-time'}, clock(video.duration)));
  if (underWay(video)) {
    const bar = progress(`${t.watch.progress} ${titleOf(video)}`);
    bar.set(video.progress);
    frame.append(bar.element);
  }
  return frame;
}

// mine: the owner sees who may watch it
export function card(video: Video, mine: boolean): HTMLElement {
  const about = [video.owner.name, t.views(count(video.views), video.views === 1), ago(video.created_at)].filter(Boolean).join(' · ');
  return h('li', {class: 'card'},
    h('a', {href: `/watch/${encodeURIComponent(video.id)}`, class: 'card-link'}, poster(video), h('span', {class: 'card-title'}, titleOf(video))),
    h('p', {class: 'card-about'}, about),
    mine && h('p', {class: 'card-own'},
      video.visibility !== 'public' && chip('outline', t.visibility[video.visibility]),
      video.playable && !video.complete && chip('good', t.playsAlready),
      h('a', {href: `/videos/${encodeURIComponent(video.id)}`, class: 'card-edit', 'aria-label': `${t.watch.edit}: ${titleOf(video)}`}, icon('edit'), t.watch.edit)));
}
