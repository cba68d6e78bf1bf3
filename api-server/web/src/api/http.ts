// Requests to the API, and who is asking. The access token lives in memory only; the refresh token is a cookie that scripts can't read. Refreshing rotates it, so one
// refresh goes on at a time, over all tabs where the browser has locks.
import type {Session, User} from './types';

export const base = '/api/v1';
const hint = 'millrace.signed-in'; // there may be a refresh cookie: nobody else is asked for a session that can't be there

interface ProblemBody {
  type?: string;
  title?: string;
  detail?: string;
  errors?: {field: string; message: string}[];
}

// An answer that says no: RFC 9457. status 0: there was no answer.
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: {field: string; message: string}[];

  constructor(status: number, body: ProblemBody) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.code = (body.type ?? '').replace(/^.*[:/]/, '');
    this.fields = body.errors ?? [];
  }
}

let token: string | null = null;
let expires = 0;
let user: User | null = null;
let refreshing: Promise<boolean> | null = null;
const watchers = new Set<() => void>();

export const me = (): User | null => user;
export const may = (role: 'creator' | 'admin'): boolean => user !== null && (user.role === 'admin' || user.role === role);

// told: whenever another person, or nobody, is signed in.
export function onIdentity(told: () => void): () => void {
  watchers.add(told);
  return () => watchers.delete(told);
}

export function accept(session: Session): void {
  const before = user?.id;
  token = session.access_token;
  expires = Date.now() + session.expires_in * 1000;
  user = session.user;
  localStorage.setItem(hint, '1');
  if (before !== user.id) watchers.forEach((told) => told());
}

export function updated(changed: User): void {
  user = changed;
  watchers.forEach((told) => told());
}

export function forget(): void {
  const before = user;
  token = null;
  user = null;
  localStorage.removeItem(hint);
  if (before) watchers.forEach((told) => told());
}

async function refreshOnce(): Promise<boolean> {
  let answer: Response;
  try {
    answer = await fetch(`${base}/auth/refresh`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'});
  } catch {
    return token !== null; // no network: the session may still be good
  }
  if (answer.ok) {
    accept((await answer.json()) as Session);
    return true;
  }
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) forget();
  return false;
}

export function refresh(): Promise<boolean> {
  if (localStorage.getItem(hint) === null) return Promise.resolve(false);
  const alone = async (): Promise<boolean> => ('locks' in navigator ? await navigator.locks.request('millrace.refresh', refreshOnce) : await refreshOnce());
  return (refreshing ??= alone().finally(() => { refreshing = null; }));
}

// The header for a request of now; a token about to expire is replaced first.
export async function authorization(): Promise<Record<string, string>> {
  if (token !== null && expires - Date.now() < 30_000) await refresh();
  return token === null ? {} : {Authorization: `Bearer ${token}`};
}

export interface Options {
  body?: unknown; // a Blob goes as it is, everything else as JSON
  headers?: Record<string, string>;
  signal?: AbortSignal;
  keepalive?: boolean;
  bare?: boolean; // the path is not below the API's
}

export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const {body} = options;
  const content = body === undefined ? null : body instanceof Blob ? body : JSON.stringify(body);
  const type: Record<string, string> = content === null ? {} : {'Content-Type': body instanceof Blob ? body.type : 'application/json'};
  const ask = async (): Promise<Response> => fetch(options.bare ? path : base + path, {
    method, body: content, headers: {...type, ...(await authorization()), ...options.headers}, signal: options.signal ?? null, keepalive: options.keepalive ?? false,
  });
  let answer: Response;
  try {
    answer = await ask();
    if (answer.status === 401 && token !== null && (await refresh())) answer = await ask();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, {detail: 'The server can’t be reached. Is the network there?'});
  }
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as ProblemBody;
  throw new Problem(answer.status, problem);
}

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const answer = await send(method, path, options);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

// For Idempotency-Key: a request that is sent again does nothing twice.
export function once(): Record<string, string> {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  return {'Idempotency-Key': Array.from(bits, (byte) => byte.toString(16).padStart(2, '0')).join('')};
}
