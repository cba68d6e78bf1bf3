// Every call of the API that the page makes, by name.
import {accept, call, forget, once, send} from './http';
import {parse} from './metrics';
import type {
  ApiKey, List, LogEntry, NewApiKey, NewVideo, Pipeline, Playback, Run, RunState, RunSummary, ServerInfo, ServerStats, Session, User, Video, VideoChanges, VideoStats,
} from './types';

type Query = Record<string, string | number | null | undefined>;

function query(values: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== null && value !== '') given.set(name, String(value));
  const text = given.toString();
  return text ? `?${text}` : '';
}

const video = (id: string): string => `/videos/${encodeURIComponent(id)}`;
const run = (id: string): string => `/runs/${encodeURIComponent(id)}`;

// Where a server gives a bare array for a short list, it is the whole.
const items = <T>(answer: List<T> | T[]): T[] => (Array.isArray(answer) ? answer : answer.items);

export const server = {
  info: () => call<ServerInfo>('GET', '/server'),
  setUpState: () => call<{needed: boolean; allowed: boolean}>('GET', '/auth/setup'),
  stats: () => call<ServerStats>('GET', '/admin/stats'),
  metrics: async () => parse(await (await send('GET', '/metrics', {bare: true})).text()),
  pipelines: async () => items(await call<List<Pipeline> | Pipeline[]>('GET', '/pipelines')),
};

async function begin(path: string, body: unknown): Promise<Session> {
  const session = await call<Session>('POST', path, {body});
  accept(session);
  return session;
}

export const auth = {
  setUp: (body: {email: string; password: string; name: string}) => begin('/auth/setup', body),
  register: (body: {email: string; password: string; name: string}) => begin('/auth/register', body),
  signIn: (body: {email: string; password: string}) => begin('/auth/login', body),
  async signOut() {
    await send('POST', '/auth/logout', {body: {}}).catch(() => undefined); // whatever the server says, here it is over
    forget();
  },
};

export const videos = {
  list: (values: Query, signal?: AbortSignal) => call<List<Video>>('GET', `/videos${query(values)}`, signal ? {signal} : {}),
  get: (id: string) => call<Video>('GET', video(id)),
  create: (body: VideoChanges & {filename?: string; size?: number; type?: string; pipeline?: string}) => call<NewVideo>('POST', '/videos', {body, headers: once()}),
  change: (id: string, body: VideoChanges, etag?: string) => call<Video>('PATCH', video(id), {body, ...(etag ? {headers: {'If-Match': `"${etag.replace(/"/g, '')}"`}} : {})}),
  remove: (id: string) => call<void>('DELETE', video(id)),
  process: (id: string, body: {pipeline?: string}) => call<{run: string | null}>('POST', `${video(id)}/process`, {body, headers: once()}),
  playback: (id: string) => call<Playback>('GET', `${video(id)}/playback`),
  keepPosition: (id: string, seconds: number, leaving = false) => call<void>('PUT', `${video(id)}/position`, {body: {seconds}, keepalive: leaving}),
  stats: (id: string) => call<VideoStats>('GET', `${video(id)}/stats`),
  viewed: (id: string) => call<void>('POST', `${video(id)}/views`, {body: {}}),
  posterAt: (id: string, time: number) => call<{run: string}>('POST', `${video(id)}/poster`, {body: {time}}),
  poster: (id: string, image: Blob) => call<unknown>('POST', `${video(id)}/poster`, {body: image}),
  captions: (id: string, lang: string, text: Blob) => call<unknown>('PUT', `${video(id)}/captions/${encodeURIComponent(lang)}`, {body: text}),
  removeCaptions: (id: string, lang: string) => call<void>('DELETE', `${video(id)}/captions/${encodeURIComponent(lang)}`),
  events: (id: string) => `${video(id)}/events`,
};

export const runs = {
  list: (values: {state?: RunState | ''; cursor?: string | null; limit?: number}) => call<List<RunSummary>>('GET', `/runs${query(values)}`),
  get: (id: string) => call<Run>('GET', run(id)),
  retry: (id: string) => call<unknown>('POST', `${run(id)}/retry`, {body: {}, headers: once()}),
  cancel: (id: string) => call<unknown>('POST', `${run(id)}/cancel`, {body: {}, headers: once()}),
  logs: async (id: string, node?: string) => items(await call<List<LogEntry> | LogEntry[]>('GET', `${run(id)}/logs${query({node})}`)),
};

export const users = {
  list: (cursor?: string | null) => call<List<User>>('GET', `/users${query({cursor, limit: 100})}`),
  create: (body: {email: string; password: string; name: string; role: string}) => call<User>('POST', '/users', {body, headers: once()}),
  change: (id: string, body: Partial<Pick<User, 'role' | 'disabled' | 'quota_bytes'>>) => call<User>('PATCH', `/users/${encodeURIComponent(id)}`, {body}),
  remove: (id: string) => call<void>('DELETE', `/users/${encodeURIComponent(id)}`),
  changeMe: (body: {name?: string; password?: string; current_password?: string}) => call<User>('PATCH', '/users/me', {body}),
};

export const keys = {
  list: async () => items(await call<List<ApiKey> | ApiKey[]>('GET', '/keys')),
  create: (body: {name: string; scopes: string[]; expires_at?: string}) => call<NewApiKey>('POST', '/keys', {body, headers: once()}),
  remove: (id: string) => call<void>('DELETE', `/keys/${encodeURIComponent(id)}`),
};
