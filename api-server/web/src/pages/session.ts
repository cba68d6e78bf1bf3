// Signing in, a new account, and the first administrator.
import {auth, server} from '../api/calls';
import {h} from '../base/dom';
import {go, type Page} from '../base/router';
import {attempt, textField, toast} from '../ui/parts';
import {t} from '../texts';

const s = t.session;

// Back to where the person came from: a path of this site.
function back(): string {
  const to = new URLSearchParams(location.search).get('to') ?? '/';
  return /^\/(?![/\\])/.test(to) ? to : '/';
}

function form(title: string, text: string, withName: boolean, action: (values: {email: string; password: string; name: string}) => Promise<unknown>, below?: HTMLElement | null): Page {
  const name = textField(s.name, {autocomplete: 'name', required: true, maxlength: 100});
  const email = textField(s.email, {type: 'email', autocomplete: 'username', required: true});
  const password = textField(s.password, {type: 'password', autocomplete: withName ? 'new-password' : 'current-password', required: true, ...(withName ? {minlength: 10} : {})}, withName ? s.passwordHelp : undefined);
  const press = h('button', {class: 'button primary wide', type: 'submit'}, title);
  const element = h('form', {class: 'session'}, h('img', {src: '/mark.svg', alt: '', width: 44, height: 44}), h('h1', {}, title), text && h('p', {class: 'muted'}, text), withName && name.element, email.element, password.element, press, below);
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      await action({email: email.input.value.trim(), password: password.input.value, name: name.input.value.trim()});
      go(back(), true);
      if (withName) toast(s.welcome(name.input.value.trim()));
    }, press, {name, email, password});
  });
  return {title, element: h('div', {class: 'page session-page'}, element)};
}

export async function signIn(): Promise<Page> {
  const state = await server.setUpState();
  if (state.needed) {
    if (state.allowed) return form(s.setUp, s.setUpText, true, auth.setUp);
    return {title: s.setUp, element: h('div', {class: 'page narrow'}, h('h1', {}, s.setUp), h('p', {}, s.setUpElsewhere), h('pre', {class: 'code'}, s.setUpCommand))};
  }
  const info = await server.info();
  const to = new URLSearchParams(location.search).get('to');
  const below = info.registration ? h('p', {class: 'muted'}, s.noAccount, ' ', h('a', {href: `/register${to ? `?to=${encodeURIComponent(to)}` : ''}`}, s.register)) : null;
  return form(s.signIn, '', false, ({email, password}) => auth.signIn({email, password}), below);
}

export const register = (): Page => form(s.register, '', true, auth.register, h('p', {class: 'muted'}, s.haveAccount, ' ', h('a', {href: '/sign-in'}, s.signIn)));
