// Uploads: a place to drop files, what is under way, and what was begun in this browser and not ended.
import {server} from '../api/calls';
import {h, replace} from '../base/dom';
import {bytes, percent, took} from '../base/format';
import {icon} from '../base/icons';
import type {Page} from '../base/router';
import {announce, attempt, button, confirm, iconButton, linkButton, progress, section, toast} from '../ui/parts';
import {queue, type Unfinished, type Upload} from '../uploads/queue';
import {t} from '../texts';

const looksLikeVideo = (file: File): boolean => /^(video|audio)\//.test(file.type) || file.type === '' || /\.(mkv|ts|m2ts|mts|mxf|avi|flv|wmv|vob|ogv|rm|mp4|mov|webm)$/i.test(file.name);

interface Row {
  element: HTMLElement;
  show: (upload: Upload) => void;
}

function says(upload: Upload): string {
  const size = t.upload.of(bytes(upload.sent), bytes(upload.size));
  switch (upload.state) {
    case 'waiting': return t.upload.waiting;
    case 'sending': return upload.rate > 0 ? `${size} · ${t.upload.speed(bytes(upload.rate), took((upload.size - upload.sent) / upload.rate))}` : size;
    case 'paused': return `${t.upload.paused} · ${size}`;
    case 'lost': return t.upload.reconnecting;
    case 'done': return t.upload.done;
    case 'failed': return upload.message;
  }
}

function row(first: Upload): Row {
  const bar = progress(t.upload.progress(first.name));
  const about = h('p', {class: 'upload-about'});
  const share = h('span', {class: 'upload-share'});
  const actions = h('div', {class: 'upload-actions'});
  const element = h('li', {class: 'upload'}, h('div', {class: 'upload-icon'}, icon('film')),
    h('div', {class: 'upload-body'}, h('div', {class: 'upload-line'}, h('span', {class: 'upload-name'}, first.name), share), bar.element, about), actions);
  let shown = '';
  return {
    element,
    show(upload) {
      bar.set(upload.size > 0 ? upload.sent / upload.size : 1);
      about.textContent = says(upload);
      share.textContent = upload.state === 'done' ? '' : percent(upload.size > 0 ? upload.sent / upload.size : 0);
      element.dataset['state'] = upload.state;
      if (shown === upload.state + upload.key) return;
      if (shown && upload.state !== 'waiting') announce(`${upload.name}: ${upload.state === 'sending' ? t.status.uploading : says(upload)}`);
      shown = upload.state + upload.key;
      const focused = actions.contains(document.activeElement);
      const remove = async (): Promise<void> => {
        if (await confirm(t.upload.remove, t.upload.removeConfirm(upload.name), t.upload.remove)) await attempt(() => queue.remove(upload.key));
      };
      const active = upload.state === 'sending' || upload.state === 'paused';
      const named = <E extends HTMLElement>(label: string, element: E): E => { element.setAttribute('aria-label', `${label}: ${upload.name}`); return element; };
      replace(actions,
        active && iconButton(upload.state === 'paused' ? 'playLine' : 'pauseLine', upload.state === 'paused' ? t.upload.resume : t.upload.pause, () => queue.togglePause(upload.key)),
        upload.state === 'failed' && named(t.upload.retry, button(t.upload.retry, () => void queue.retry(upload.key), {small: true, icon: 'retry'})),
        upload.state !== 'done' && named(t.upload.remove, iconButton('close', t.upload.remove, () => void remove())),
        upload.video && named(t.upload.details, linkButton(t.upload.details, `/videos/${upload.video}`, {small: true})),
        upload.state === 'done' && named(t.upload.watch, linkButton(t.upload.watch, `/watch/${upload.video}`, {kind: 'primary', small: true})));
      if (focused) actions.querySelector<HTMLElement>('button, a')?.focus(); // who pressed Pause may press Resume
    },
  };
}

function unfinishedRow(one: Unfinished): HTMLElement {
  const choose = h('input', {type: 'file', hidden: true});
  choose.addEventListener('change', () => {
    const file = choose.files?.[0];
    if (!file) return;
    if (file.name === one.name && file.size === one.size) void queue.add(file);
    else toast(t.upload.otherFile(one.name), 'bad');
  });
  return h('li', {class: 'upload'}, h('div', {class: 'upload-icon'}, icon('film')),
    h('div', {class: 'upload-body'}, h('span', {class: 'upload-name'}, one.name), h('p', {class: 'upload-about'}, bytes(one.size))),
    h('div', {class: 'upload-actions'}, choose, button(t.upload.chooseAgain, () => choose.click(), {small: true}), button(t.upload.forget, () => queue.forget(one.video), {kind: 'quiet', small: true})));
}

export function upload(): Page {
  const chooser = h('input', {type: 'file', multiple: true, hidden: true, id: 'files'});
  const list = h('ul', {class: 'uploads'});
  const unfinished = h('ul', {class: 'uploads'});
  const queued = section(t.upload.queue, list);
  const left = section(t.upload.unfinished, h('p', {class: 'muted'}, t.upload.unfinishedText), unfinished);
  const rows = new Map<string, Row>();
  let most: number | null = null;
  server.info().then((info) => { most = info.max_upload_bytes; }, () => undefined); // the server checks, too

  const add = (files: Iterable<File>): void => {
    for (const file of files) {
      if (!looksLikeVideo(file)) toast(t.upload.notVideo(file.name), 'bad');
      else if (most !== null && file.size > most) toast(t.upload.tooLarge(file.name, bytes(most)), 'bad');
      else void queue.add(file);
    }
  };
  chooser.addEventListener('change', () => { add([...(chooser.files ?? [])]); chooser.value = ''; });

  const zone = h('div', {class: 'drop-zone'}, h('div', {class: 'empty-icon'}, icon('upload')), h('p', {class: 'drop-title'}, t.upload.drop), chooser,
    button(t.upload.choose, () => chooser.click(), {kind: 'primary'}), h('p', {class: 'muted'}, t.upload.hint));
  // Anywhere on the page: beside the zone, the browser would leave the page for the file.
  const stop = new AbortController();
  let depth = 0; // dragenter and dragleave come for each element
  const over = (change: number): void => {
    depth += change;
    zone.classList.toggle('over', depth > 0);
  };
  const drops = {
    dragenter: () => over(1), dragover: () => undefined, dragleave: () => over(-1),
    drop: (event: DragEvent) => {
      over(-depth);
      add([...(event.dataTransfer?.files ?? [])]);
    },
  };
  for (const [name, does] of Object.entries(drops)) {
    document.addEventListener(name as keyof typeof drops, (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      does(event);
    }, {signal: stop.signal});
  }

  const show = (): void => {
    const now = queue.uploads;
    const keys = new Set(now.map((one) => one.key));
    for (const [key, one] of rows) {
      if (keys.has(key)) continue;
      one.element.remove();
      rows.delete(key);
    }
    for (const one of now) {
      let shown = rows.get(one.key);
      if (!shown) {
        shown = row(one);
        rows.set(one.key, shown);
        list.append(shown.element);
      }
      shown.show(one);
    }
    const rest = queue.unfinished;
    queued.hidden = now.length === 0;
    left.hidden = rest.length === 0;
    if (rest.length !== unfinished.childElementCount) replace(unfinished, rest.map(unfinishedRow));
  };
  queue.addEventListener('change', show);
  show();
  return {
    title: t.upload.title,
    element: h('div', {class: 'page narrow'}, h('h1', {}, t.upload.title), zone, queued, left),
    dispose() { queue.removeEventListener('change', show); stop.abort(); },
  };
}
