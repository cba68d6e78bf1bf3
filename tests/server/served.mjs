// SPDX-License-Identifier: MIT
// A real `millrace serve` on a free port with fresh data, what is asked of its API, and uploads by tus, for clients that are written in JavaScript.
import {spawn} from 'node:child_process';
import {createReadStream, statSync} from 'node:fs';
import {request} from 'node:http';
import {basename, join} from 'node:path';

export const password = 'correct horse battery';

// folder: for its data, kept by the caller. settings: as 'server.access_log=true'. jobs: what it does at a time. It is gone when stop() has resolved.
export async function serve(folder, {settings = [], jobs = 2, millrace = process.env.MILLRACE} = {}) {
  const words = ['serve', '--listen', 'localhost:0', '--data', join(folder, 'data'), '--jobs', String(jobs), ...['server.access_log=false', ...settings].flatMap((one) => ['--set', one])];
  const child = spawn(millrace, words, {stdio: ['ignore', 'ignore', 'pipe'], env: {...process.env, XDG_CONFIG_HOME: join(folder, 'none')}});
  const ended = new Promise((resolve) => { child.on('exit', resolve); });
  let said = '';
  const port = await new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said = (said + data).slice(-100_000);
      const found = /listening on http:\/\/[^:]+:(\d+)/.exec(said);
      if (found) resolve(Number(found[1]));
    });
    child.on('error', reject);
    ended.then(() => reject(new Error(`the server ended: ${said}`)));
  });
  const stop = () => { child.kill('SIGTERM'); return ended; };
  const front = await fetch(`http://localhost:${port}/`);
  if (!front.headers.get('content-type')?.startsWith('text/html')) { // else a browser would wait for what will never be shown
    const told = await front.text();
    await stop();
    throw new Error(told);
  }
  await front.body?.cancel();
  return new Served(`http://localhost:${port}`, {said: () => said, stop});
}

class Served {
  constructor(origin, {said, stop}) {
    Object.assign(this, {origin, said, stop, token: null});
  }

  // The answer's JSON; an error where the server says no.
  async ask(method, path, body) {
    const headers = {...(this.token ? {Authorization: `Bearer ${this.token}`} : {}), ...(body ? {'Content-Type': 'application/json'} : {})};
    const answer = await fetch(this.origin + path, {method, headers, body: body ? JSON.stringify(body) : undefined});
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  // The first administrator, who asks from now on.
  async setUp(email = 'ada@example.org') {
    this.token = (await this.ask('POST', '/api/v1/auth/setup', {email, password, name: 'Ada'})).access_token;
    this.email = email;
  }

  // A video's record, and where its bytes go.
  create(path, fields = {}) {
    return this.ask('POST', '/api/v1/videos', {title: basename(path), filename: basename(path), size: statSync(path).size, visibility: 'public', ...fields});
  }

  // Bytes from..to, all when they are not given, in one request. Resolves with the time (Date.now()) at which the last one was acknowledged.
  put(path, target, from = 0, to = statSync(path).size) {
    const headers = {Authorization: `Bearer ${this.token}`, 'Tus-Resumable': '1.0.0', 'Upload-Offset': from, 'Content-Type': 'application/offset+octet-stream', 'Content-Length': to - from};
    return new Promise((resolve, reject) => {
      const sent = request(new URL(target.upload.tus.url, this.origin), {method: 'PATCH', headers}, (answer) => {
        const at = Date.now();
        answer.resume();
        if (answer.statusCode === 204) resolve(at);
        else reject(new Error(`PATCH of ${path}: ${answer.statusCode}`));
      });
      sent.on('error', reject);
      createReadStream(path, {start: from, end: to - 1, highWaterMark: 1 << 20}).on('error', reject).pipe(sent);
    });
  }

  // Tells of each event of a video until the one of this name comes; resolves with the time and the data of that one.
  async until(id, name, fits = () => true, told = () => undefined) {
    const stop = new AbortController();
    const answer = await fetch(`${this.origin}/api/v1/videos/${id}/events`, {headers: {Authorization: `Bearer ${this.token}`}, signal: stop.signal});
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const piece of answer.body) {
        text += decoder.decode(piece, {stream: true});
        const messages = text.split('\n\n');
        text = messages.pop();
        for (const message of messages) {
          const event = /^event: ?(.*)$/m.exec(message)?.[1];
          const data = JSON.parse(/^data: ?(.*)$/m.exec(message)?.[1] ?? 'null');
          if (event) told(event, data, Date.now());
          if (event === name && fits(data)) return {at: Date.now(), data};
          if (event === 'status' && data.status === 'failed') throw new Error(`video ${id} failed: ${JSON.stringify(data.reason)}`);
        }
      }
    } finally {
      stop.abort();
    }
    throw new Error(`video ${id}: the events ended before '${name}'`);
  }

  // Made, uploaded, and complete.
  async publish(path, fields) {
    const target = await this.create(path, fields);
    const complete = this.until(target.video.id, 'ready', ({complete}) => complete);
    await Promise.all([this.put(path, target), complete]);
    return target.video.id;
  }

  // A page of the browser's context is signed in as this one.
  async signIn(context) {
    const answer = await context.request.post(`${this.origin}/api/v1/auth/login`, {data: {email: this.email, password}});
    if (!answer.ok()) throw new Error(`can't sign in: ${answer.status()}`);
    await context.addInitScript(() => localStorage.setItem('millrace.signed-in', '1'));
  }
}
