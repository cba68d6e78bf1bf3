// Small parts that pages are made of.
import {h, uniqueId, type Attributes, type Child} from '../base/dom';
import {icon, type IconName} from '../base/icons';
import {Problem} from '../api/http';
import {t} from '../texts';

type Kind = 'primary' | 'plain' | 'quiet' | 'danger';

export function button(label: string, press: (event: MouseEvent) => void, look: {kind?: Kind; icon?: IconName; small?: boolean} = {}): HTMLButtonElement {
  return h('button', {type: 'button', class: `button ${look.kind ?? 'plain'}${look.small ? ' small' : ''}`, on: {click: press}}, look.icon && icon(look.icon), label);
}

export function linkButton(label: string, href: string, look: {kind?: Kind; icon?: IconName; small?: boolean} = {}): HTMLAnchorElement {
  return h('a', {href, class: `button ${look.kind ?? 'plain'}${look.small ? ' small' : ''}`}, look.icon && icon(look.icon), label);
}

export function iconButton(name: IconName, label: string, press: (event: MouseEvent) => void): HTMLButtonElement {
  return h('button', {type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: {click: press}}, icon(name));
}

export interface Field<E extends HTMLElement> {
  element: HTMLElement;
  input: E;
  say: (message: string) => void; // what is wrong with it; '': nothing
}

function field<E extends HTMLElement>(label: string, input: E, help?: string): Field<E> {
  const id = uniqueId('field');
  const wrong = h('span', {class: 'field-error', id: `${id}-error`});
  input.id = id;
  input.setAttribute('aria-describedby', `${id}-error${help ? ` ${id}-help` : ''}`);
  const say = (message: string): void => {
    wrong.textContent = message;
    if (message) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  };
  // The browser's own bubble goes away by itself, and not every screen reader says it.
  input.addEventListener('invalid', (event) => {
    event.preventDefault();
    say((input as Element as HTMLInputElement).validationMessage);
    if (input.closest('form')?.querySelector(':is(input, textarea, select):invalid') === input) point(input, wrong);
  });
  input.addEventListener('input', () => say(''));
  return {input, element: h('div', {class: 'field'}, h('label', {for: id}, label), input, help && h('span', {class: 'field-help', id: `${id}-help`}, help), wrong), say};
}

// To a field that is wrong. With its focus comes what is wrong with it, unless it has the focus already.
function point(input: HTMLElement, wrong: HTMLElement): void {
  if (document.activeElement === input) announce(wrong.textContent);
  else input.focus();
}

export const textField = (label: string, attributes: Attributes = {}, help?: string): Field<HTMLInputElement> => field(label, h('input', {type: 'text', ...attributes}), help);
export function areaField(label: string, value: string, attributes: Attributes = {}): Field<HTMLTextAreaElement> {
  const area = field(label, h('textarea', {rows: 6, ...attributes}));
  area.input.value = value;
  return area;
}

export type Choices = readonly (readonly [value: string, label: string])[];

export function select(choices: Choices, value: string, attributes: Attributes = {}): HTMLSelectElement {
  return h('select', attributes, choices.map(([of, label]) => h('option', {value: of, selected: of === value}, label)));
}

export const selectField = (label: string, choices: Choices, value: string, help?: string): Field<HTMLSelectElement> => field(label, select(choices, value), help);

export function progress(label: string): {element: HTMLElement; set: (fraction: number | null) => void} {
  const bar = h('div', {class: 'progress-bar'});
  const element = h('div', {class: 'progress', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100}, bar);
  return {
    element,
    set(fraction) {
      element.classList.toggle('endless', fraction === null);
      if (fraction === null) {
        element.removeAttribute('aria-valuenow');
        return;
      }
      const hundred = Math.min(1, Math.max(0, fraction)) * 100;
      bar.style.transform = `scaleX(${hundred / 100})`;
      element.setAttribute('aria-valuenow', String(Math.floor(hundred)));
    },
  };
}

export const chip = (kind: string, label: string): HTMLElement => h('span', {class: `chip ${kind}`}, label);

const nothing = (heading: HTMLElement, name: IconName, text: string, actions: Child[]): HTMLElement => h('div', {class: 'empty'}, h('div', {class: 'empty-icon'}, icon(name)), heading, h('p', {}, text), actions);
export const empty = (name: IconName, title: string, text: string, ...actions: Child[]): HTMLElement => nothing(h('h2', {}, title), name, text, actions);
// The same as a whole page.
export const emptyPage = (name: IconName, title: string, text: string, ...actions: Child[]): HTMLElement => h('div', {class: 'page'}, nothing(h('h1', {}, title), name, text, actions));

export const section = (title: string, ...content: Child[]): HTMLElement => {
  const id = uniqueId('section');
  return h('section', {class: 'panel', 'aria-labelledby': id}, h('h2', {id}, title), content);
};

export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

// ---- what a screen reader says, and what is shown for a moment ----
// Without a role: an empty 'status' is read out to whoever comes by, and a full one is read anew as a whole.
const live = h('div', {class: 'visually-hidden', 'aria-live': 'polite'});
const toasts = h('div', {class: 'toasts', 'aria-live': 'polite'});
export const notices: HTMLElement[] = [live, toasts];

export function announce(text: string): void {
  const said = h('p', {}, text);
  live.append(said);
  setTimeout(() => said.remove(), 5_000); // nobody finds it there later
}

export function toast(text: string, kind: 'good' | 'bad' = 'good'): void {
  const shown = h('div', {class: `toast ${kind}`}, icon(kind === 'good' ? 'check' : 'close'), text);
  toasts.append(shown);
  setTimeout(() => shown.remove(), kind === 'good' ? 3500 : 8000);
}

// Runs work; what goes wrong is said in a toast, or beside the fields that the server named. A busy button is not pressed twice; it is not 'disabled', which would
// take the focus from under the hands of whoever pressed it.
export async function attempt(work: () => Promise<void>, busy?: HTMLButtonElement, fields: Record<string, Field<HTMLElement>> = {}): Promise<void> {
  if (busy?.getAttribute('aria-disabled') === 'true') return;
  Object.values(fields).forEach((one) => one.say(''));
  busy?.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } catch (error) {
    const named = error instanceof Problem ? error.fields.filter((wrong) => wrong.field in fields) : [];
    named.forEach((wrong) => fields[wrong.field]?.say(wrong.message));
    const first = named[0];
    const wrong = first && fields[first.field];
    if (wrong) point(wrong.input, wrong.element.querySelector('.field-error') ?? wrong.element);
    else toast(words(error), 'bad');
  } finally {
    busy?.removeAttribute('aria-disabled');
  }
}

// A question before something that can't be undone. true: go on.
// An 'alertdialog' is read out by Orca when it opens; a plain dialog, whose opening takes the pressed button out of reach, is not.
export function confirm(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    const id = uniqueId('dialog');
    const dialog = h('dialog', {class: 'dialog', role: 'alertdialog', 'aria-labelledby': id, 'aria-describedby': `${id}-text`},
      h('h2', {id}, title), h('p', {id: `${id}-text`}, text),
      h('form', {method: 'dialog', class: 'actions'}, h('button', {class: 'button plain', value: ''}, t.cancel), h('button', {class: 'button danger', value: 'yes'}, action)));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Names and what they mean, until it is closed.
export function explain(title: string, rows: readonly (readonly string[])[]): void {
  const id = uniqueId('dialog');
  const dialog = h('dialog', {class: 'dialog', 'aria-labelledby': id}, h('h2', {id}, title),
    h('dl', {class: 'keys'}, rows.map(([name, meaning]) => [h('dt', {}, name), h('dd', {}, meaning)])),
    h('form', {method: 'dialog', class: 'actions'}, h('button', {class: 'button plain'}, t.close)));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// The clipboard is there only on secure origins; elsewhere the old way does it.
export async function copy(text: string, said = t.watch.copied): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    const area = h('textarea', {class: 'visually-hidden'});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy'); // eslint-disable-line @typescript-eslint/no-deprecated -- there is no other on such origins
    area.remove();
  }
  toast(said);
}

// said: what a toast says when it is copied
export function copyField(label: string, value: string, said?: string): HTMLElement {
  const text = textField(label, {readonly: true, value});
  text.input.addEventListener('focus', () => text.input.select());
  const row = h('div', {class: 'copy-row'}, text.input.parentElement && text.element);
  const press = button(t.account.copy, () => void attempt(() => copy(value, said)), {icon: 'link'});
  press.setAttribute('aria-label', `${t.account.copy}: ${label}`);
  row.append(press);
  return row;
}
