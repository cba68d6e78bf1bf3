// The signed-in person's account and API keys.
import {auth, keys, users} from '../api/calls';
import {me, updated} from '../api/http';
import type {ApiKey, NewApiKey} from '../api/types';
import {h, replace} from '../base/dom';
import {bytes, date} from '../base/format';
import {go, type Page} from '../base/router';
import {attempt, button, confirm, copyField, section, textField, toast, words} from '../ui/parts';
import {t} from '../texts';

const a = t.account;
const scopes = ['videos:read', 'videos:write', 'runs:read', 'runs:write', 'users:admin'];

function keysPart(): HTMLElement {
  const list = h('ul', {class: 'rows'});
  const made = h('div');
  const show = async (): Promise<void> => {
    const all = await keys.list();
    const row = (key: ApiKey): HTMLElement => h('li', {class: 'row'}, h('div', {}, h('strong', {}, key.name), h('p', {class: 'muted'}, h('code', {}, key.id), ` · ${key.scopes.join(', ')} · ${a.expires}: ${key.expires_at ? date(key.expires_at) : a.never}`)),
      button(a.revoke, () => void (async () => { if (await confirm(a.revokeConfirm(key.name), a.revokeText, a.revoke)) await attempt(async () => { await keys.remove(key.id); await show(); }); })(), {small: true}));
    replace(list, all.length === 0 ? h('li', {class: 'muted'}, a.noKeys) : all.map(row));
  };
  show().catch((error: unknown) => replace(list, h('li', {class: 'muted'}, words(error))));
  const name = textField(a.keyName, {required: true, maxlength: 100});
  const offered = me()?.role === 'admin' ? scopes : scopes.filter((scope) => scope !== 'users:admin');
  const boxes = offered.map((scope) => h('input', {type: 'checkbox', value: scope, checked: scope.startsWith('videos:')}));
  const press = h('button', {type: 'submit', class: 'button plain'}, a.newKey);
  const form = h('form', {class: 'form'}, name.element, h('fieldset', {class: 'checks'}, h('legend', {}, a.scopes), boxes.map((box) => h('label', {}, box, box.value))), h('div', {class: 'actions'}, press));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      const key: NewApiKey = await keys.create({name: name.input.value.trim(), scopes: boxes.filter((box) => box.checked).map((box) => box.value)});
      replace(made, h('div', {class: 'note'}, h('p', {}, a.once), copyField(a.key, key.key), key.secret && [copyField(a.keyId, key.id), copyField(a.secret, key.secret)]));
      form.reset();
      await show();
    }, press, {name});
  });
  return section(a.keys, h('p', {class: 'muted'}, a.keysText), list, made, form);
}

function passwordPart(): HTMLElement {
  const current = textField(a.current, {type: 'password', autocomplete: 'current-password', required: true});
  const next = textField(a.next, {type: 'password', autocomplete: 'new-password', required: true, minlength: 10}, t.session.passwordHelp);
  const press = h('button', {type: 'submit', class: 'button plain'}, a.password);
  const form = h('form', {class: 'form'}, current.element, next.element, h('div', {class: 'actions'}, press));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      await users.changeMe({current_password: current.input.value, password: next.input.value});
      form.reset();
      toast(a.passwordChanged);
    }, press, {current_password: current, password: next});
  });
  return section(a.password, form);
}

export function account(): Page {
  const user = me();
  if (!user) return {title: a.title, element: h('div')};
  const name = textField(t.session.name, {value: user.name, required: true, maxlength: 100});
  const save = h('button', {type: 'submit', class: 'button plain'}, t.save);
  const profile = h('form', {class: 'form'}, name.element, h('div', {class: 'actions'}, save));
  profile.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => { updated(await users.changeMe({name: name.input.value.trim()})); toast(t.saved); }, save, {name});
  });
  const signOut = button(t.nav.signOut, () => void attempt(async () => { await auth.signOut(); go('/'); }, signOut));
  return {
    title: a.title,
    element: h('div', {class: 'page narrow'}, h('div', {class: 'page-head'}, h('div', {}, h('h1', {}, a.title), h('p', {class: 'muted'}, `${user.email} · ${t.roles[user.role]} · ${a.used(bytes(user.used_bytes ?? 0), user.quota_bytes ? bytes(user.quota_bytes) : null)}`)), signOut),
      section(a.profile, profile), passwordPart(), user.role !== 'viewer' && keysPart()),
  };
}
