// A player for one video: the stream, its controls, previews, and the place where the viewer was.
import {videos} from '../api/calls';
import {me, Problem} from '../api/http';
import type {Playback, Video} from '../api/types';
import {h, replace} from '../base/dom';
import {clock} from '../base/format';
import {t} from '../texts';
import {announce, button} from '../ui/parts';
import {Controls} from './controls';
import {parse} from './storyboard';
import {Stream} from './stream';

const keepEvery = 8_000; // milliseconds between two notes of the place
const previewsEvery = 4_000; // milliseconds between two looks for more previews, while they are made
const nearStart = 5; // seconds: nothing to come back to
const nearEnd = 0.97; // of the duration: seen

export interface Player {
  element: HTMLElement;
  time: () => number;
  key: (event: KeyboardEvent) => void;
  setMade: (seconds: number | null) => void; // how much is there in every quality; null: all
  dispose: () => void;
}

const place = (id: string): string => `millrace.position.${id}`;

function remembered(video: Video, playback: Playback): number | null {
  const seconds = me() ? playback.position : Number(localStorage.getItem(place(video.id)));
  const duration = playback.duration ?? video.duration ?? Infinity;
  return seconds && seconds > nearStart && seconds < duration * nearEnd ? seconds : null;
}

async function ask(id: string, over: () => boolean): Promise<Playback> {
  for (let pause = 500; ; pause = Math.min(pause * 1.6, 5_000)) {
    try {
      const playback = await videos.playback(id);
      if (playback.dash || playback.hls) return playback;
    } catch (error) {
      // The server is away for a moment: asked again. What is wrong with us is told.
      if (over() || !(error instanceof Problem) || (error.status !== 409 && error.status !== 0 && error.status < 500)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// embedded: nothing is remembered, and it does not start by itself.
export function player(video: Video, options: {embedded?: boolean; from?: number | null} = {}): Player {
  const picture = h('video', {playsinline: true, preload: 'auto', ...(video.poster_url ? {poster: video.poster_url} : {}), 'aria-label': video.title || t.player.region});
  const captions = h('div', {class: 'captions'});
  const frame = h('div', {class: 'player paused waiting', role: 'region', 'aria-label': t.player.region, tabindex: '-1'}, picture, captions);
  let disposed = false;
  const playbackNow = (): Promise<Playback> => ask(video.id, () => disposed);
  const stream = new Stream(picture, captions, playbackNow);
  const controls = new Controls(frame, picture, stream);
  if (video.width && video.height) frame.style.aspectRatio = `${Math.max(video.width / video.height, 1.2)}`;
  let complete = false; // the video
  let [whole, looked] = [false, Infinity]; // whether all its previews were asked for, and when some were

  const broken = (message: string): void => {
    if (disposed) return;
    frame.append(h('div', {class: 'player-broken', role: 'alert'}, h('p', {}, t.player.failed), h('p', {class: 'muted'}, message)));
  };
  stream.addEventListener('broken', (event) => broken((event as CustomEvent<string>).detail));

  let kept = 0;
  const keep = (leaving = false): void => {
    if (options.embedded || picture.readyState === 0 || (!leaving && picture.seeking)) return;
    kept = Date.now();
    if (me()) void videos.keepPosition(video.id, Math.round(picture.currentTime * 10) / 10, leaving).catch(() => undefined); // the next note will do
    else localStorage.setItem(place(video.id), String(picture.currentTime));
  };
  const leave = (): void => keep(true);
  picture.addEventListener('timeupdate', () => { if (!picture.paused && Date.now() - kept > keepEvery) keep(); });
  picture.addEventListener('pause', () => keep());
  picture.addEventListener('seeked', () => keep());
  picture.addEventListener('playing', () => void videos.viewed(video.id).catch(() => undefined), {once: true});
  window.addEventListener('pagehide', leave);

  void (async () => {
    try {
      const playback = await playbackNow();
      if (disposed) return;
      const from = options.from ?? (options.embedded ? null : remembered(video, playback));
      await stream.open(playback, from);
      frame.classList.remove('waiting');
      if (from !== null && options.from === undefined) resumed(from);
      if (!options.embedded) void picture.play().catch(() => undefined); // not allowed before a press: the big button is there
      [whole, looked] = [playback.complete, Date.now()];
      await previews(playback);
      lookAgain();
    } catch (error) {
      broken(error instanceof Error ? error.message : String(error));
    }
  })();

  // They grow while the video is made. Previews are a help; without them the bar works too.
  async function previews(playback: Playback): Promise<void> {
    const url = playback.storyboard?.url;
    const answer = url ? await fetch(url, {cache: 'no-cache'}).catch(() => null) : null;
    if (url && answer?.ok && !disposed) controls.pictures = parse(await answer.text(), new URL(url, location.href).href);
  }

  function lookAgain(): void {
    if (whole || looked === Infinity || (!complete && Date.now() - looked < previewsEvery)) return;
    [whole, looked] = [complete, Date.now()];
    playbackNow().then(previews).catch(() => undefined); // no more than the previews is missing then
  }

  function resumed(from: number): void {
    const note = h('div', {class: 'resumed'});
    const close = (): void => note.remove();
    replace(note, t.player.resumed(clock(from)), button(t.player.fromStart, () => { stream.seek(0); close(); }, {kind: 'quiet', small: true}));
    frame.append(note);
    announce(t.player.resumed(clock(from)));
    setTimeout(close, 6_000);
  }

  return {
    element: frame,
    time: () => picture.currentTime,
    key: (event) => controls.key(event),
    setMade(seconds) {
      stream.setMade(seconds);
      complete = seconds === null;
      lookAgain();
    },
    dispose() {
      leave();
      disposed = true;
      window.removeEventListener('pagehide', leave);
      controls.close();
      stream.close();
    },
  };
}
