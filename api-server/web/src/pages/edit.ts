// A video's settings, for its owner.
import {runs, server, videos} from '../api/calls';
import {may, Problem} from '../api/http';
import type {Playback, Subtitle, Video, Visibility} from '../api/types';
import {append, h, replace, uniqueId} from '../base/dom';
import {captionsName, count, day} from '../base/format';
import {go, type Page, type Params} from '../base/router';
import {player, type Player} from '../player/player';
import {bars} from '../ui/bars';
import {statusChip, titleOf} from '../ui/card';
import {announce, areaField, attempt, button, confirm, copyField, emptyPage, iconButton, linkButton, section, selectField, textField, toast} from '../ui/parts';
import {t} from '../texts';
import {reasonOf} from './runs';
import {embedCode, watchLink} from './watch';

const e = t.edit;

function visibilityChoice(video: Video): {element: HTMLElement; value: () => Visibility} {
  const name = uniqueId('visibility');
  const kinds = Object.keys(t.visibility) as Visibility[];
  const inputs = kinds.map((kind) => h('input', {type: 'radio', name, value: kind, checked: video.visibility === kind}));
  const element = h('fieldset', {class: 'choice'}, h('legend', {}, e.visibility),
    inputs.map((input, index) => h('label', {class: 'choice-one'}, input, h('span', {}, h('strong', {}, t.visibility[kinds[index] as Visibility]), h('span', {class: 'muted'}, t.visibilityHelp[kinds[index] as Visibility])))));
  return {element, value: () => (inputs.find((input) => input.checked)?.value ?? video.visibility) as Visibility};
}

function details(first: Video, saved: (video: Video) => void): HTMLElement {
  let video = first;
  const title = textField(e.name, {value: video.title, maxlength: 200});
  const description = areaField(e.description, video.description, {maxlength: 10000});
  const tags = textField(e.tags, {value: video.tags.join(', ')}, e.tagsHelp);
  const category = textField(e.category, {value: video.category, maxlength: 60});
  const language = textField(e.language, {value: video.language, maxlength: 35}, e.languageHelp);
  const visibility = visibilityChoice(video);
  const save = h('button', {type: 'submit', class: 'button primary'}, t.save);
  const form = h('form', {class: 'form'}, title.element, description.element, h('div', {class: 'two'}, category.element, language.element), tags.element, visibility.element, h('div', {class: 'actions'}, save));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      try {
        video = await videos.change(video.id, {
          title: title.input.value.trim(), description: description.input.value, category: category.input.value.trim(), language: language.input.value.trim(),
          tags: tags.input.value.split(',').map((tag) => tag.trim()).filter(Boolean), visibility: visibility.value(),
        }, video.etag);
      } catch (error) {
        throw error instanceof Problem && error.status === 412 ? new Error(e.conflict) : error;
      }
      saved(video);
      toast(t.saved);
    }, save, {title, description, category, language, tags});
  });
  return section(e.details, form);
}

// A picture of the video is made by a run, which waits for its turn.
async function posterMade(id: string): Promise<void> {
  for (;;) {
    const run = await runs.get(id);
    if (run.state === 'succeeded') return;
    if (run.state !== 'waiting' && run.state !== 'running') throw new Error(reasonOf(run) || t.runState[run.state]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function posterPart(video: Video, playing: Player | null): HTMLElement {
  const file = h('input', {type: 'file', accept: 'image/jpeg,image/png,image/webp', hidden: true});
  file.addEventListener('change', () => void attempt(async () => {
    const image = file.files?.[0];
    if (!image) return;
    file.value = ''; // else the same file, mended, would be no change
    await new Promise((resolve) => setTimeout(resolve, 1000)); // what is told while the window of files closes, done or failed, no screen reader says
    await videos.poster(video.id, image);
    toast(e.posterDone);
  }));
  const current = button(e.posterAt, () => void attempt(async () => {
    const {run} = await videos.posterAt(video.id, Math.round((playing?.time() ?? 0) * 1000) / 1000);
    announce(e.posterBegun);
    await posterMade(run);
    toast(e.posterDone);
  }, current), {icon: 'film'});
  return section(e.poster, h('p', {class: 'muted'}, e.posterHelp), playing?.element, h('div', {class: 'actions'}, playing && current, file, button(e.posterUpload, () => file.click(), {icon: 'upload'})));
}

function captionsPart(video: Video, first: Subtitle[]): HTMLElement {
  const list = h('ul', {class: 'rows'});
  const language = textField(e.language, {placeholder: 'en', maxlength: 35, required: true}, e.languageHelp);
  const file = textField(e.captionsFile, {type: 'file', accept: '.vtt,.srt,text/vtt,application/x-subrip', required: true}, e.captionsHelp);
  const add = h('button', {type: 'submit', class: 'button plain'}, e.captionsAdd);
  const form = h('form', {class: 'form inline'}, language.element, file.element, add);
  const show = (all: Subtitle[]): void => replace(list, all.length === 0 && h('li', {class: 'muted'}, e.noCaptions), all.map((one, index) => h('li', {class: 'row'}, h('span', {}, captionsName(one.label, one.lang), ' ', h('span', {class: 'muted'}, one.lang)),
    iconButton('trash', `${e.remove}: ${captionsName(one.label, one.lang)}`, () => void attempt(async () => {
      await videos.removeCaptions(video.id, one.lang);
      toast(e.captionsRemoved);
      await reload();
      const left = list.querySelectorAll('button'); // the one that was pressed is gone, with the focus: to the one in its place
      (left[Math.min(index, left.length - 1)] ?? language.input).focus();
    })))));
  const reload = async (): Promise<void> => show((await videos.playback(video.id).catch(() => null))?.subtitles ?? []);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      const chosen = file.input.files?.[0];
      if (!chosen) return;
      const type = chosen.name.toLowerCase().endsWith('.srt') ? 'application/x-subrip' : 'text/vtt';
      await videos.captions(video.id, language.input.value.trim(), new Blob([chosen], {type}));
      form.reset();
      toast(e.captionsDone);
      await reload();
    }, add, {language, file});
  });
  show(first);
  return section(e.captions, list, form);
}

// How often it was watched. What can't be had is left out: it is no reason not to edit.
function viewsPart(video: Video): HTMLElement {
  const part = section(e.views);
  part.hidden = true;
  videos.stats(video.id).then((stats) => {
    append(part, h('p', {class: 'views-total'}, t.views(count(stats.views), stats.views === 1)),
      bars(e.viewsByDay, stats.days.map((one) => ({label: day(one.day), value: one.views})), [e.daysAgo, e.today]),
      stats.stopped?.some((viewers) => viewers > 0) && bars(`${e.stopped} (${e.stoppedHelp})`, stats.stopped.map((viewers, index) => ({label: `${index * 10}–${index * 10 + 10} %`, value: viewers})), [e.start, e.end]));
    part.hidden = false;
  }, () => undefined);
  return part;
}

function processPart(video: Video): HTMLElement {
  const now: [string, string] = [video.pipeline ?? '', video.pipeline ?? e.ownPipeline];
  const pipeline = selectField(e.pipeline, [now], now[0]);
  void server.pipelines().then((all) => replace(pipeline.input, !video.pipeline && h('option', {value: '', selected: true}, e.ownPipeline), all.map((one) => h('option', {value: one.name, selected: one.name === video.pipeline}, one.name))), () => undefined); // the one of now stays
  const start = button(e.process, () => void attempt(async () => {
    await videos.process(video.id, pipeline.input.value ? {pipeline: pipeline.input.value} : {});
    toast(e.processed);
    go(`/watch/${encodeURIComponent(video.id)}`);
  }, start), {icon: 'retry'});
  return section(e.process, h('p', {class: 'muted'}, e.processText), pipeline.element, h('div', {class: 'actions'}, start, video.run && linkButton(t.watch.run, `/runs/${encodeURIComponent(video.run)}`, {icon: 'flow'})));
}

function removePart(video: Video): HTMLElement {
  return section(e.danger, h('p', {class: 'muted'}, e.dangerText), h('div', {class: 'actions'}, button(e.delete, () => void (async () => {
    if (!(await confirm(e.deleteConfirm(titleOf(video)), e.dangerText, e.delete))) return;
    await attempt(async () => {
      await videos.remove(video.id);
      toast(e.deleted);
      go('/?owner=me', true);
    });
  })(), {kind: 'danger', icon: 'trash'})));
}

export async function edit(params: Params): Promise<Page> {
  const video = await videos.get(params['id'] ?? '');
  if (!may('creator')) return {title: e.title, element: emptyPage('shield', t.notFound.title, t.notFound.text)};
  const playback: Playback | null = video.playable ? await videos.playback(video.id).catch(() => null) : null; // without it there are no captions to list
  const playing = video.playable ? player(video, {embedded: true, from: 0}) : null;
  const heading = h('h1', {}, titleOf(video));
  return {
    title: `${e.title}: ${titleOf(video)}`,
    element: h('div', {class: 'page'},
      h('div', {class: 'page-head'}, h('div', {}, h('p', {class: 'eyebrow'}, e.title), heading, statusChip(video)), linkButton(e.watch, `/watch/${encodeURIComponent(video.id)}`, {icon: 'playLine'})),
      h('div', {class: 'edit'},
        h('div', {}, details(video, (now) => { heading.textContent = titleOf(now); }), captionsPart(video, playback?.subtitles ?? [])),
        h('div', {}, posterPart(video, playing), section(e.share, copyField(t.watch.link, watchLink(video)), copyField(t.watch.embed, embedCode(video))), viewsPart(video), processPart(video), removePart(video)))),
    dispose: () => playing?.dispose(),
  };
}
