// A video in Shaka Player: addresses that are signed anew before they expire, patience with segments that are being made, and what a viewer can choose.
import shaka from 'shaka-player/dist/shaka-player.dash-es2021.js';
import type {Playback} from '../api/types';
import {captionsName, languageName} from '../base/format';

export interface Choice {
  id: string;
  label: string;
  chosen: boolean;
}

const openingBandwidth = 400_000; // bits per second: what the first choice goes by, so that the smallest picture comes at once

// How far ahead of the picture a video must be made before more than its lowest quality is tried by itself.
const leadWanted = 30;

const widestGap = 1; // seconds: our streams have none, but sound and picture need not begin together
const mostHolds = 8;

const signed = /^\/media\/[^/]+\//;

export class Stream extends EventTarget {
  readonly video: HTMLVideoElement;
  readonly #player: shaka.Player;
  readonly #renew: () => Promise<Playback>;
  #prefix = ''; // "/media/<token>/": what the addresses of now begin with
  #expires = Infinity; // by our clock
  #renewing: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #made: number | null = null;
  #wanted: number | null = null; // where a viewer jumps to, until there is a picture
  #holds = 0; // how often it was held against jumps of Shaka's
  readonly #attached: Promise<void>;

  // renew: asks for signed addresses.
  constructor(video: HTMLVideoElement, captions: HTMLElement, renew: () => Promise<Playback>) {
    super();
    shaka.polyfill.installAll();
    this.video = video;
    this.#renew = renew;
    this.#player = new shaka.Player();
    this.#attached = this.#player.attach(video) as Promise<void>; // while it is asked what to load
    this.#attached.catch(() => undefined); // told by open()
    this.#player.setVideoContainer(captions);
    // A segment that isn't made yet is waited for by the server (20 s), then refused with 503: patience comes from here, not from a timer on silence.
    const patient = {maxAttempts: 12, baseDelay: 500, backoffFactor: 1.5, fuzzFactor: 0.3, timeout: 40_000, stallTimeout: 0, connectionTimeout: 0};
    // Manifests are exact to the picture (inaccurateManifestTolerance): a jump need not load the segment before its own, but for sound that begins a little later.
    // After a jump, sound or picture may wait a tick for the other, which still tells where it was before (updateIntervalSeconds; Shaka's own: 1 s).
    // No prefetching: a jump that aborts a prefetched init segment leaves it there, aborted, and Shaka 5.2 takes it for ever (its issue 10569).
    // A slow device is still decoding when Shaka's own second is over; going on by a tenth then, it would begin anew each time (stallThreshold).
    // One busy moment of a device does not take a quality away for half a minute (droppedFramesThreshold; Shaka's own: 0.15 in 2 s).
    // A quality whose segment could not be had is tried again soon: it may have been made meanwhile (maxDisabledTime; Shaka's own: 30 s).
    this.#player.configure({
      abr: {defaultBandwidthEstimate: openingBandwidth, useNetworkInformation: false, advanced: {droppedFramesThreshold: 0.4, droppedFramesInterval: 4}},
      manifest: {retryParameters: patient},
      streaming: {
        retryParameters: patient, bufferingGoal: 30, rebufferingGoal: 0, bufferBehind: 60, inaccurateManifestTolerance: 0.2, updateIntervalSeconds: 0.1, segmentPrefetchLimit: 0,
        stallThreshold: 5, maxDisabledTime: 5,
        failureCallback: (error: shaka.util.Error) => this.#failed(error),
      },
    });
    this.#player.getNetworkingEngine()?.registerRequestFilter(async (_type, request) => {
      if (Date.now() > this.#expires) await this.#refresh(); // a laptop that slept: nothing of it is refused
      request.uris = request.uris.map((uri) => this.#current(uri));
    });
    for (const event of ['trackschanged', 'adaptation', 'variantchanged', 'texttrackvisibility', 'textchanged']) {
      this.#player.addEventListener(event, () => this.dispatchEvent(new Event('choices')));
    }
    this.#player.addEventListener('trackschanged', () => this.#limit());
    video.addEventListener('seeked', () => { if (!video.seeking) this.#wanted = null; });
    this.#player.addEventListener('gapjumped', () => this.#hold());
    for (const [event, detail] of [['waiting', true], ['playing', false], ['canplay', false]] as const) {
      video.addEventListener(event, () => this.dispatchEvent(new CustomEvent('buffering', {detail})));
    }
  }

  async open(playback: Playback, from: number | null): Promise<void> {
    await this.#attached;
    const native = !('MediaSource' in window || 'ManagedMediaSource' in window);
    const url = (native ? playback.hls ?? playback.dash : playback.dash ?? playback.hls)?.url;
    if (!url) throw new Error('there is no stream yet');
    this.#take(playback);
    await this.#player.load(new URL(url, location.href).href, from);
    const known = new Set(this.#player.getTextTracks().map((track) => track.language));
    for (const track of playback.subtitles) {
      if (!known.has(track.lang)) await this.#player.addTextTrackAsync(new URL(track.url, location.href).href, track.lang, 'subtitles', 'text/vtt', undefined, track.label).catch(() => undefined);
    }
    this.dispatchEvent(new Event('choices'));
  }

  close(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    void this.#player.destroy();
  }

  seek(time: number): void {
    this.#wanted = time;
    this.#holds = 0;
    this.video.currentTime = time;
  }

  // What was being loaded when the viewer jumped back may come a moment later: Shaka then takes all in between for a gap, and goes to its end. Not held for
  // ever, since Shaka is right where a stream begins late.
  #hold(): void {
    if (this.#wanted === null || this.video.currentTime - this.#wanted <= widestGap || ++this.#holds > mostHolds) return;
    this.video.currentTime = this.#wanted;
  }

  // An address of this video with the signature of now.
  #current(uri: string): string {
    const url = new URL(uri, location.href);
    if (this.#prefix && url.origin === location.origin) url.pathname = url.pathname.replace(signed, this.#prefix);
    return url.href;
  }

  #take(playback: Playback): void {
    const url = playback.dash?.url ?? playback.hls?.url ?? '';
    this.#prefix = signed.exec(new URL(url, location.href).pathname)?.[0] ?? '';
    clearTimeout(this.#timer);
    const expires = new Date(playback.expires_at).getTime();
    const left = expires - Date.now();
    this.#expires = left > 0 ? expires : Infinity; // whose clock is ahead of the server's is told by the timer alone
    // Renewed at three quarters of its life; setTimeout can't wait longer than 24.8 days.
    this.#timer = setTimeout(() => void this.#refresh(), Math.min(Math.max(left * 0.75, 5_000), 2_000_000_000));
  }

  #refresh(): Promise<void> {
    this.#renewing ??= this.#renewed().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  async #renewed(): Promise<void> {
    try {
      const playback = await this.#renew();
      if (!this.#stopped) this.#take(playback);
    } catch {
      if (!this.#stopped) this.#timer = setTimeout(() => void this.#refresh(), 5_000);
    }
  }

  // A segment could not be had. An expired signature (a laptop that slept) is renewed, and a server that is away for a moment is asked again.
  #failed(error: shaka.util.Error): void {
    const {BAD_HTTP_STATUS, HTTP_ERROR, TIMEOUT} = shaka.util.Error.Code;
    if (error.code === BAD_HTTP_STATUS && [401, 403, 410].includes(Number((error.data as unknown[])[1]))) {
      void this.#refresh().then(() => this.#player.retryStreaming(0.1));
    } else if ([BAD_HTTP_STATUS, HTTP_ERROR, TIMEOUT].includes(error.code as shaka.util.Error.Code)) {
      this.#player.retryStreaming(2);
    } else {
      this.dispatchEvent(new CustomEvent('broken', {detail: error.message}));
    }
  }

  // made: seconds from the start that are there in every quality; null: all.
  setMade(made: number | null): void {
    this.#made = made;
    this.#limit();
  }

  #limit(): void {
    const limited = this.#made !== null && this.#made < this.video.currentTime + leadWanted;
    const heights = this.#player.getVariantTracks().map((track) => track.height ?? Infinity);
    const most = limited && heights.length > 0 ? Math.min(...heights) : Infinity;
    if (this.#player.getConfiguration().abr.restrictions.maxHeight !== most) this.#player.configure('abr.restrictions.maxHeight', most);
  }

  get automatic(): boolean {
    return this.#player.getConfiguration().abr.enabled;
  }

  qualities(): Choice[] {
    const heights = new Map<number, boolean>();
    for (const track of this.#player.getVariantTracks()) {
      if (track.height) heights.set(track.height, (heights.get(track.height) ?? false) || track.active);
    }
    return [...heights].sort((a, b) => b[0] - a[0]).map(([height, chosen]) => ({id: String(height), label: `${height}p`, chosen}));
  }

  chooseQuality(id: string | null): void {
    this.#player.configure('abr.enabled', id === null);
    if (id !== null) {
      const tracks = this.#player.getVariantTracks();
      const spoken = tracks.find((track) => track.active)?.language;
      const of = tracks.filter((track) => String(track.height) === id);
      const wanted = of.find((track) => track.language === spoken) ?? of[0];
      if (wanted) this.#player.selectVariantTrack(wanted, true, 2);
    }
    this.dispatchEvent(new Event('choices'));
  }

  sounds(): Choice[] {
    return this.#player.getAudioTracks().map((track, index) => ({id: String(index), label: track.label || languageName(track.language), chosen: track.active}));
  }

  chooseSound(id: string): void {
    const track = this.#player.getAudioTracks()[Number(id)];
    if (track) this.#player.selectAudioTrack(track);
    this.dispatchEvent(new Event('choices'));
  }

  captions(): Choice[] {
    return this.#player.getTextTracks().map((track) => ({id: String(track.id), label: captionsName(track.label, track.language), chosen: track.active}));
  }

  chooseCaptions(id: string | null): void {
    const track = this.#player.getTextTracks().find((one) => String(one.id) === id) ?? null;
    this.#player.selectTextTrack(track);
    this.dispatchEvent(new Event('choices'));
  }
}
