// The player's own controls: everything by keyboard, every button named, no timer but the one that hides the bar while the picture moves.
import {append, h, replace, uniqueId} from '../base/dom';
import {clock, percent, spoken} from '../base/format';
import {icon, type IconName} from '../base/icons';
import {t} from '../texts';
import {announce, explain} from '../ui/parts';
import {at, type Picture} from './storyboard';
import type {Choice, Stream} from './stream';

const speeds = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const idle = 2600; // milliseconds until the bar hides

function control(name: IconName, label: string, press: () => void): {element: HTMLButtonElement; show: (name: IconName, label: string, pressed?: boolean) => void} {
  const element = h('button', {type: 'button', class: 'control', on: {click: press}});
  let shown = '';
  const show = (of: IconName, text: string, pressed?: boolean): void => {
    if (pressed !== undefined) element.setAttribute('aria-pressed', String(pressed));
    if (shown === of + text) return;
    shown = of + text;
    replace(element, icon(of));
    element.setAttribute('aria-label', text);
    element.title = text;
  };
  show(name, label);
  return {element, show};
}

const steps: Record<string, number> = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1}; // as among any radio buttons

// A button that opens a panel above the bar; Escape and a press elsewhere close it.
function popover(root: HTMLElement, button: HTMLButtonElement, fill: (panel: HTMLElement) => void): {panel: HTMLElement; update: () => void; close: () => void} {
  const panel = h('div', {class: 'player-panel', id: uniqueId('panel'), hidden: true});
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-controls', panel.id);
  const close = (): void => {
    panel.hidden = true;
    button.setAttribute('aria-expanded', 'false');
  };
  button.addEventListener('click', () => {
    if (!panel.hidden) {
      close();
      return;
    }
    fill(panel);
    panel.hidden = false;
    button.setAttribute('aria-expanded', 'true');
    (panel.querySelector<HTMLElement>('[aria-checked=true]') ?? panel.querySelector('button'))?.focus();
  });
  root.addEventListener('pointerdown', (event) => {
    if (event.target instanceof Node && !panel.contains(event.target) && !button.contains(event.target)) close();
  });
  panel.addEventListener('keydown', (event) => {
    const options = [...panel.querySelectorAll<HTMLElement>('button')];
    const index = options.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'Escape') {
      close();
      button.focus();
    } else if (event.key in steps) {
      options[(index + (steps[event.key] ?? 0) + options.length) % options.length]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const update = (): void => {
    if (panel.hidden) return;
    const index = [...panel.querySelectorAll('button')].findIndex((one) => one === document.activeElement);
    fill(panel);
    panel.querySelectorAll('button')[index]?.focus(); // it was drawn anew under the viewer's hands
  };
  root.addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
  return {panel, close, update};
}

function options(title: string, choices: Choice[], choose: (id: string) => void): HTMLElement {
  return h('div', {class: 'options', role: 'radiogroup', 'aria-label': title}, h('p', {class: 'options-title'}, title),
    choices.map((choice) => h('button', {type: 'button', role: 'radio', 'aria-checked': String(choice.chosen), class: 'option', on: {click: () => choose(choice.id)}}, icon('check'), choice.label)));
}

export class Controls {
  readonly element: HTMLElement;
  readonly #video: HTMLVideoElement;
  readonly #stream: Stream;
  readonly #stop = new AbortController();
  readonly #seek = h('input', {type: 'range', class: 'seek', min: 0, max: 0, step: 'any', value: 0, 'aria-label': t.player.seek});
  readonly #played = h('div', {class: 'seek-played'});
  readonly #thumb = h('div', {class: 'seek-thumb'}); // drawn by us: the bar's own would move only when its value is told
  readonly #buffered = h('div', {class: 'seek-buffered'});
  readonly #preview = h('div', {class: 'preview', hidden: true});
  readonly #previewPicture = h('div', {class: 'preview-picture'});
  readonly #previewTime = h('span', {class: 'preview-time'});
  readonly #time = h('span', {class: 'time', 'aria-hidden': 'true'});
  readonly #loudness = h('input', {type: 'range', class: 'loudness', min: 0, max: 1, step: 0.05, 'aria-label': t.player.volume});
  readonly #play = control('play', t.player.play, () => this.toggle());
  readonly #mute = control('volume', t.player.mute, () => { this.#video.muted = !this.#video.muted; });
  readonly #full = control('fullscreen', t.player.fullscreen, () => this.fullscreen());
  readonly #captionsButton = control('captions', t.player.captions, () => undefined);
  readonly #tune = control('tune', t.player.settings, () => undefined);
  readonly #panels: ReturnType<typeof popover>[] = [];
  #hide: ReturnType<typeof setTimeout> | undefined;
  #pictures: readonly Picture[] = [];
  #dragging = false;

  // frame: what holds the video and its captions; the controls are put into it.
  constructor(frame: HTMLElement, video: HTMLVideoElement, stream: Stream) {
    this.element = frame;
    this.#video = video;
    this.#stream = stream;
    this.#build();
    this.#listen();
    this.#update();
  }

  close(): void {
    clearTimeout(this.#hide);
    this.#stop.abort();
  }

  set pictures(pictures: readonly Picture[]) {
    this.#pictures = pictures;
  }

  #build(): void {
    const captions = popover(this.element, this.#captionsButton.element, (panel) => {
      const tracks = this.#stream.captions();
      const off = {id: '', label: t.player.captionsOff, chosen: !tracks.some((track) => track.chosen)};
      replace(panel, options(t.player.captions, [off, ...tracks], (id) => { this.#chooseCaptions(id || null); captions.close(); this.#captionsButton.element.focus(); }));
    });
    const tune = popover(this.element, this.#tune.element, (panel) => this.#fillSettings(panel));
    this.#panels.push(captions, tune);
    const pip = document.pictureInPictureEnabled ? control('pip', t.player.pip, () => this.pictureInPicture()).element : null;
    append(this.#preview, this.#previewPicture, this.#previewTime);
    append(this.element,
      h('button', {type: 'button', class: 'big-play', tabindex: '-1', 'aria-hidden': 'true', on: {click: () => this.toggle()}}, icon('play')),
      h('div', {class: 'spinner', 'aria-hidden': 'true'}),
      h('div', {class: 'bar'}, captions.panel, tune.panel,
        h('div', {class: 'seek-area'}, this.#preview, h('div', {class: 'seek-track'}, this.#buffered, this.#played), this.#thumb, this.#seek),
        h('div', {class: 'controls'}, this.#play.element, h('div', {class: 'volume'}, this.#mute.element, this.#loudness), this.#time, h('span', {class: 'space'}),
          this.#captionsButton.element, this.#tune.element, pip, this.#full.element)));
  }

  #fillSettings(panel: HTMLElement): void {
    const stream = this.#stream;
    const qualities = stream.qualities();
    const now = qualities.find((one) => one.chosen)?.label;
    const auto = {id: '', label: stream.automatic && now ? t.player.autoNow(now) : t.player.auto, chosen: stream.automatic};
    const sounds = stream.sounds();
    const done = (): void => this.#panels.forEach((one) => one.update());
    replace(panel,
      h('div', {class: 'columns'},
        options(t.player.quality, [auto, ...qualities.map((one) => ({...one, chosen: one.chosen && !stream.automatic}))], (id) => { stream.chooseQuality(id || null); done(); }),
        options(t.player.speed, speeds.map((speed) => ({id: String(speed), label: speed === 1 ? t.player.normal : `${speed}×`, chosen: this.#video.playbackRate === speed})), (id) => { this.#video.playbackRate = Number(id); done(); }),
        sounds.length > 1 && options(t.player.audio, sounds, (id) => { stream.chooseSound(id); done(); })));
  }

  #listen(): void {
    const video = this.#video;
    const options = {signal: this.#stop.signal};
    for (const event of ['play', 'pause', 'timeupdate', 'durationchange', 'progress', 'volumechange', 'seeking', 'seeked', 'ended', 'ratechange']) video.addEventListener(event, () => this.#update(event), options);
    video.addEventListener('click', () => this.toggle(), options);
    video.addEventListener('dblclick', () => this.fullscreen(), options);
    this.#stream.addEventListener('choices', () => { this.#update(); this.#panels.forEach((panel) => panel.update()); }, options);
    this.#stream.addEventListener('buffering', (event) => this.element.classList.toggle('waiting', (event as CustomEvent<boolean>).detail), options);
    document.addEventListener('fullscreenchange', () => this.#update(), options);
    this.element.addEventListener('keydown', (event) => this.key(event), options);
    for (const event of ['pointermove', 'pointerdown', 'focusin', 'keydown']) this.element.addEventListener(event, () => this.#wake(), options);
    this.element.addEventListener('pointerleave', () => this.element.classList.toggle('idle', !video.paused), options);
    this.#seek.addEventListener('input', () => { this.#dragging = true; this.#paint(Number(this.#seek.value)); this.#tell(Number(this.#seek.value)); this.#show(Number(this.#seek.value)); }, options);
    this.#seek.addEventListener('change', () => { this.#dragging = false; this.#stream.seek(Number(this.#seek.value)); this.#preview.hidden = true; }, options);
    this.#seek.addEventListener('pointermove', (event) => {
      const box = this.#seek.getBoundingClientRect();
      this.#show(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.#duration());
    }, options);
    this.#seek.addEventListener('pointerleave', () => { this.#preview.hidden = true; }, options);
    this.#loudness.addEventListener('input', () => { video.volume = Number(this.#loudness.value); video.muted = false; }, options);
  }

  #duration(): number {
    return Number.isFinite(this.#video.duration) ? this.#video.duration : 0;
  }

  #paint(time: number): void {
    const duration = this.#duration();
    this.#played.style.transform = `scaleX(${duration > 0 ? time / duration : 0})`;
    this.#thumb.style.left = `${duration > 0 ? (time / duration) * 100 : 0}%`;
    this.#time.textContent = `${clock(time)} / ${clock(duration)}`;
  }

  #tell(time: number): void {
    this.#seek.setAttribute('aria-valuetext', t.player.of(spoken(time), spoken(this.#duration())));
  }

  // why: the event of the video that it follows
  #update(why = ''): void {
    const video = this.#video;
    const duration = this.#duration();
    const silent = video.muted || video.volume === 0;
    this.element.classList.toggle('paused', video.paused);
    this.#play.show(video.paused ? 'play' : 'pause', video.paused ? t.player.play : t.player.pause);
    this.#mute.show(silent ? 'volumeOff' : 'volume', silent ? t.player.unmute : t.player.mute);
    this.#full.show(document.fullscreenElement === this.element ? 'fullscreenExit' : 'fullscreen', document.fullscreenElement === this.element ? t.player.exitFullscreen : t.player.fullscreen);
    this.#loudness.value = String(silent ? 0 : video.volume);
    this.#loudness.setAttribute('aria-valuetext', percent(silent ? 0 : video.volume));
    this.#seek.max = String(duration);
    const tracks = this.#stream.captions();
    this.#captionsButton.element.hidden = tracks.length === 0;
    this.#captionsButton.element.classList.toggle('on', tracks.some((track) => track.chosen));
    if (!this.#dragging) {
      this.#paint(video.currentTime);
      // Screen readers say each new value of what has the focus. A clock that talks is no help: there the bar tells only where the viewer went, or stopped.
      const quiet = document.activeElement === this.#seek && !video.paused && why !== 'seeking';
      if (!quiet) {
        this.#tell(video.currentTime); // first: a new value is what makes them say it
        this.#seek.value = String(video.currentTime);
      }
    }
    let ahead = 0;
    for (let range = 0; range < video.buffered.length; range++) if (video.buffered.start(range) <= video.currentTime + 0.1) ahead = Math.max(ahead, video.buffered.end(range));
    this.#buffered.style.transform = `scaleX(${duration > 0 ? Math.min(1, ahead / duration) : 0})`;
    this.#wake();
  }

  #wake(): void {
    clearTimeout(this.#hide);
    this.element.classList.remove('idle');
    if (this.#video.paused) return;
    this.#hide = setTimeout(() => this.element.classList.toggle('idle', !this.#video.paused && this.#panels.every((one) => one.panel.hidden)), idle);
  }

  #show(time: number): void {
    const duration = this.#duration();
    if (duration <= 0) return;
    const picture = at(this.#pictures, time);
    this.#preview.hidden = false;
    this.#previewTime.textContent = clock(time);
    this.#previewPicture.hidden = picture === null;
    if (picture) {
      const scale = 176 / picture.width;
      const {style} = this.#previewPicture;
      style.width = `${picture.width}px`;
      style.height = `${picture.height}px`;
      style.backgroundImage = `url("${picture.url.replace(/["\\]/g, encodeURIComponent)}")`;
      style.backgroundPosition = `-${picture.x}px -${picture.y}px`;
      style.zoom = String(scale);
    }
    const width = this.#seek.clientWidth;
    const half = this.#preview.offsetWidth / 2;
    this.#preview.style.left = `${Math.min(width - half, Math.max(half, (time / duration) * width))}px`;
  }

  toggle(): void {
    if (this.#video.paused) void this.#video.play().catch(() => undefined); // the browser wants a press first: the button stays
    else this.#video.pause();
  }

  fullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.element.requestFullscreen) void this.element.requestFullscreen().catch(() => undefined);
    else (this.#video as HTMLVideoElement & {webkitEnterFullscreen?: () => void}).webkitEnterFullscreen?.(); // phones of one maker
  }

  pictureInPicture(): void {
    if (!document.pictureInPictureEnabled) return;
    const done = document.pictureInPictureElement ? document.exitPictureInPicture() : this.#video.requestPictureInPicture();
    void done.catch(() => undefined);
  }

  #step(seconds: number): void {
    this.#jump(this.#video.currentTime + seconds);
  }

  // Where a key led is said by the bar, when it has the focus, or else in words.
  #jump(to: number): void {
    const time = Math.min(this.#duration(), Math.max(0, to));
    this.#stream.seek(time);
    if (document.activeElement !== this.#seek) announce(spoken(time));
  }

  #silence(): void {
    this.#video.muted = !this.#video.muted;
    announce(this.#video.muted ? t.player.muted : t.player.unmuted);
  }

  #louder(by: number): void {
    this.#video.volume = Math.min(1, Math.max(0, this.#video.volume + by));
    this.#video.muted = false;
    announce(`${t.player.volume} ${percent(this.#video.volume)}`);
  }

  #faster(by: number): void {
    const index = speeds.indexOf(this.#video.playbackRate);
    this.#video.playbackRate = speeds[Math.min(speeds.length - 1, Math.max(0, index + by))] ?? 1;
    announce(`${t.player.speed} ${this.#video.playbackRate}×`);
  }

  #toggleCaptions(): void {
    const tracks = this.#stream.captions();
    const [first] = tracks;
    if (!first) return;
    this.#chooseCaptions(tracks.some((track) => track.chosen) ? null : first.id);
  }

  // What was chosen is said: the button that gets the focus back doesn't tell it.
  #chooseCaptions(id: string | null): void {
    const chosen = this.#stream.captions().find((track) => track.id === id);
    this.#stream.chooseCaptions(id);
    announce(`${t.player.captions}: ${chosen?.label ?? t.player.captionsOff}`);
  }

  // Also called by the page for keys that nothing else wants.
  key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    const onButton = target instanceof HTMLButtonElement;
    const onLoudness = target === this.#loudness;
    const actions: Record<string, () => void> = {
      k: () => this.toggle(), j: () => this.#step(-10), l: () => this.#step(10), m: () => this.#silence(), f: () => this.fullscreen(), c: () => this.#toggleCaptions(),
      p: () => this.pictureInPicture(), '<': () => this.#faster(-1), '>': () => this.#faster(1), '?': () => explain(t.player.keys, t.player.shortcuts),
    };
    if (!onButton) actions[' '] = () => this.toggle();
    if (!onLoudness) {
      Object.assign(actions, {ArrowLeft: () => this.#step(-5), ArrowRight: () => this.#step(5), ArrowUp: () => this.#louder(0.05), ArrowDown: () => this.#louder(-0.05)});
      Object.assign(actions, {Home: () => this.#step(-Infinity), End: () => this.#step(this.#duration())});
    }
    if (target === this.#seek) Object.assign(actions, {PageUp: () => this.#step(this.#duration() / 10), PageDown: () => this.#step(-this.#duration() / 10)}); // its own would count from what was told last
    for (let tenth = 0; tenth <= 9; tenth++) actions[String(tenth)] = () => this.#jump((this.#duration() * tenth) / 10);
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
