// How far a video's run is, live: one line, a bar, the graph.
import {runs, videos} from '../api/calls';
import {subscribe} from '../api/events';
import type {NodeEvent, StatusEvent, TaskEvent, UploadEvent, Video} from '../api/types';
import {h} from '../base/dom';
import {bytes, percent} from '../base/format';
import {graph, type Graph} from '../graph/view';
import {announce, progress} from '../ui/parts';
import {t} from '../texts';

export interface Progress {
  element: HTMLElement;
  dispose: () => void;
}

// changed: each time that the video's record says something new. canSeeRun: its graph may be asked for.
export function liveProgress(first: Video, canSeeRun: boolean, changed: (video: Video) => void): Progress {
  const headline = h('h2');
  const text = h('p', {class: 'muted'});
  const share = h('span', {class: 'live-share'});
  const bar = progress(t.watch.progress);
  const drawing = h('div', {class: 'live-graph'});
  const element = h('section', {class: 'panel live', 'aria-label': t.watch.steps}, h('div', {class: 'live-head'}, h('span', {class: 'pulse', 'aria-hidden': 'true'}), h('div', {}, headline, text), share), bar.element, drawing);
  let video = first;
  let shown: Graph | null = null;
  let asked = '';
  let disposed = false;

  async function draw(): Promise<void> {
    if (!canSeeRun || !video.run || asked === video.run) return;
    asked = video.run;
    try {
      const run = await runs.get(asked);
      shown = graph(run);
      if (!disposed) drawing.replaceChildren(shown.element);
    } catch {
      asked = ''; // it may not be listed yet: the next event asks again
    }
  }

  function show(): void {
    element.hidden = video.status === 'ready' && video.complete;
    element.classList.toggle('failed', video.status === 'failed');
    const says: Record<Video['status'], [string, string]> = {
      created: [t.watch.waitingFile, ''], uploading: [t.watch.uploading, video.playable ? t.watch.processingText : t.watch.notYetText],
      processing: video.playable ? [t.watch.processing, t.watch.processingText] : [t.watch.notYet, t.watch.notYetText],
      ready: [t.watch.processing, t.watch.processingText], failed: [t.watch.failed, video.reason?.message ?? ''],
    };
    [headline.textContent, text.textContent] = says[video.status];
    bar.element.hidden = video.status === 'failed' || video.status === 'created';
    share.hidden = bar.element.hidden;
    share.textContent = percent(video.progress);
    bar.set(video.progress);
    void draw();
  }

  const update = (change: Partial<Video>): void => {
    const {status, complete} = video;
    video = {...video, ...change};
    show();
    changed(video);
    // How far it is, the bar says to whoever wants to know.
    if (video.complete && !complete) announce(t.watch.complete);
    else if (status !== video.status) announce(t.status[video.status]);
  };
  const reload = async (): Promise<void> => {
    const now = await videos.get(video.id).catch(() => null); // the next event asks again
    if (now && !disposed) update(now);
  };

  const told = (name: string, data: unknown): void => {
    if (disposed) return;
    if (name === 'upload') {
      const {received, size} = data as UploadEvent;
      if (video.status === 'uploading' || video.status === 'created') text.textContent = size ? t.upload.of(bytes(received), bytes(size)) : bytes(received);
    } else if (name === 'status') {
      const status = data as StatusEvent;
      update({status: status.status, playable: status.playable, complete: status.complete, reason: status.reason, ...(status.progress !== undefined ? {progress: status.progress} : {})});
      void reload();
    } else if (name === 'ready' || name === 'end') {
      void reload();
    } else if (name === 'node') {
      const node = data as NodeEvent;
      shown?.set(node.node, node);
      if (!video.complete) update({progress: node.progress});
    } else if (name === 'task' && video.run === null && (data as TaskEvent).node) {
      void reload();
    }
  };
  show();
  const stop = subscribe(videos.events(video.id), told);
  return {element, dispose() { disposed = true; stop(); }};
}
