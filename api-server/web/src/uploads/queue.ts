// Uploads, by Uppy's core and its tus client: they go on while pages change, after the connection broke, and, with the same file chosen again, after a reload.
import Uppy from '@uppy/core';
import Tus, {type TusBody} from '@uppy/tus';
import {videos} from '../api/calls';
import {authorization, Problem, refresh} from '../api/http';

type Meta = {video: string};

export type UploadState = 'waiting' | 'sending' | 'paused' | 'lost' | 'done' | 'failed';

export interface Upload {
  key: string;
  video: string; // '': its record is being made
  url: string; // where its bytes go; '': not known yet
  name: string;
  size: number;
  sent: number;
  rate: number; // bytes per second, over the last seconds
  state: UploadState;
  message: string;
}

// What is kept of an upload in this browser until it is done: enough to know the file again.
export interface Unfinished {
  video: string;
  url: string;
  name: string;
  size: number;
  modified: number;
}

const memory = 'millrace.uploads';
const mostRemembered = 50;
const retryDelays = [0, 500, 1000, 2000, 4000, 8000, 15000, 15000, 30000, 30000, 60000, 60000, 60000]; // started anew whenever bytes arrive

function remembered(): Unfinished[] {
  try {
    return JSON.parse(localStorage.getItem(memory) ?? '[]') as Unfinished[];
  } catch {
    return [];
  }
}

const remember = (list: Unfinished[]): void => localStorage.setItem(memory, JSON.stringify(list.slice(-mostRemembered)));
const isSame = (one: Unfinished, file: File): boolean => one.name === file.name && one.size === file.size && one.modified === file.lastModified;

class Queue extends EventTarget {
  readonly #uploads = new Map<string, Upload>();
  readonly #samples = new Map<string, [time: number, sent: number][]>();
  readonly #uppy = new Uppy<Meta, TusBody>({autoProceed: true, allowMultipleUploadBatches: true});
  #count = 0;

  constructor() {
    super();
    this.#uppy.use(Tus, {
      limit: 3, retryDelays, storeFingerprintForResuming: false, removeFingerprintOnSuccess: true, allowedMetaFields: ['video', 'name', 'type'],
      onBeforeRequest: async (request) => {
        for (const [name, value] of Object.entries(await authorization())) request.setHeader(name, value);
      },
      onShouldRetry: (error, _attempt, options, next) => {
        const status = error.originalResponse?.getStatus();
        if (!status) this.#lost(options.uploadUrl ?? '');
        if (status === 401) {
          void refresh();
          return true;
        }
        return next(error);
      },
    });
    this.#uppy.on('upload-progress', (file, progress) => {
      if (file) this.#progress(file.id, progress.bytesUploaded || 0);
    });
    this.#uppy.on('upload-success', (file) => { if (file) this.#done(file.id); });
    this.#uppy.on('upload-error', (file, error) => { if (file) this.#change(file.id, {state: 'failed', message: error.message.split(', originated from')[0] ?? error.message}); });
    window.addEventListener('offline', () => this.#network(false));
    window.addEventListener('online', () => this.#network(true));
    window.addEventListener('beforeunload', (event) => { if (this.busy) event.preventDefault(); });
  }

  get uploads(): Upload[] {
    return [...this.#uploads.values()];
  }

  get busy(): boolean {
    return this.uploads.some((one) => one.state === 'sending' || one.state === 'waiting' || one.state === 'lost');
  }

  // Uploads begun in this browser, by this page or one before, that nobody goes on with.
  get unfinished(): Unfinished[] {
    const here = new Set(this.uploads.map((one) => one.video));
    return remembered().filter((one) => !here.has(one.video));
  }

  async add(file: File): Promise<void> {
    const before = this.unfinished.find((one) => isSame(one, file));
    const key = `upload-${++this.#count}`;
    this.#uploads.set(key, {key, video: before?.video ?? '', url: '', name: file.name, size: file.size, sent: 0, rate: 0, state: 'waiting', message: ''});
    this.#changed();
    try {
      const target = before && (await this.#alive(before)) ? before : await this.#create(file);
      this.#put(key, file, target);
    } catch (error) {
      this.#change(key, {state: 'failed', message: error instanceof Error ? error.message : String(error)});
    }
  }

  // Its record may be gone meanwhile, or its upload ended.
  async #alive(one: Unfinished): Promise<boolean> {
    try {
      const video = await videos.get(one.video);
      if (video.status === 'created' || video.status === 'uploading') return true;
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
    }
    this.forget(one.video);
    return false;
  }

  async #create(file: File): Promise<Unfinished> {
    const title = file.name.replace(/\.[^.]+$/, '').replace(/[_]+/g, ' ').trim();
    const {video, upload} = await videos.create({title, filename: file.name, size: file.size, ...(file.type ? {type: file.type} : {})});
    const entry = {video: video.id, url: upload.tus.url, name: file.name, size: file.size, modified: file.lastModified};
    remember([...remembered(), entry]);
    return entry;
  }

  #put(key: string, file: File, target: Unfinished): void {
    const upload = this.#uploads.get(key);
    if (!upload) return; // removed meanwhile
    // Uppy's own id comes from name and size: the record's id in the name keeps two uploads of one file apart.
    const id = this.#uppy.addFile({name: file.name, type: file.type, data: file, source: key, meta: {video: target.video, relativePath: target.video} as Meta});
    this.#uploads.delete(key);
    this.#uploads.set(id, {...upload, key: id, video: target.video, url: target.url, state: navigator.onLine ? 'sending' : 'lost'});
    this.#uppy.setFileState(id, {tus: {uploadUrl: new URL(target.url, location.href).href}});
    this.#changed();
  }

  togglePause(key: string): void {
    const paused = this.#uppy.pauseResume(key);
    if (paused !== undefined) this.#change(key, {state: paused ? 'paused' : 'sending', rate: 0});
    this.#samples.delete(key);
  }

  async retry(key: string): Promise<void> {
    this.#change(key, {state: 'sending', message: ''});
    await this.#uppy.retryUpload(key);
  }

  // Ends it and deletes what has arrived.
  async remove(key: string): Promise<void> {
    const upload = this.#uploads.get(key);
    this.#uploads.delete(key);
    this.#changed();
    if (!upload) return;
    if (this.#uppy.getFile(key)) this.#uppy.removeFile(key);
    if (upload.video && upload.state !== 'done') {
      this.forget(upload.video);
      await videos.remove(upload.video);
    }
  }

  forget(video: string): void {
    remember(remembered().filter((one) => one.video !== video));
    this.#changed();
  }

  #progress(key: string, sent: number): void {
    const now = Date.now();
    const samples = (this.#samples.get(key) ?? []).filter(([time]) => now - time < 6000);
    samples.push([now, sent]);
    this.#samples.set(key, samples);
    const [first] = samples;
    const rate = first && now - first[0] > 400 ? ((sent - first[1]) * 1000) / (now - first[0]) : 0;
    const state = this.#uploads.get(key)?.state;
    this.#change(key, {sent, rate, ...(state === 'waiting' || state === 'lost' ? {state: 'sending' as const} : {})});
  }

  #done(key: string): void {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    remember(remembered().filter((one) => one.video !== upload.video));
    this.#change(key, {state: 'done', sent: upload.size, rate: 0});
    this.dispatchEvent(new CustomEvent('done', {detail: upload}));
  }

  // A request had no answer: it is tried again, and the next bytes that arrive say that all is well.
  #lost(url: string): void {
    const upload = this.uploads.find((one) => one.url !== '' && url.endsWith(one.url));
    if (upload?.state === 'sending') this.#change(upload.key, {state: 'lost', rate: 0});
  }

  #network(there: boolean): void {
    for (const upload of this.uploads) {
      if (!there && upload.state === 'sending') this.#change(upload.key, {state: 'lost', rate: 0});
      else if (there && upload.state === 'lost') this.#change(upload.key, {state: 'sending'});
      else if (there && upload.state === 'failed' && this.#uppy.getFile(upload.key)) void this.retry(upload.key);
    }
  }

  #change(key: string, change: Partial<Upload>): void {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    this.#uploads.set(key, {...upload, ...change});
    this.#changed();
  }

  #changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}

export const queue = new Queue();
