// Server-sent events over fetch, because EventSource can't send who is asking. Goes on after the last event it saw when the connection breaks.
import {authorization, base, refresh} from './http';

export interface Message {
  id: string;
  event: string;
  data: string;
}

// Takes the texts of a stream as they come, cut anywhere; gives whole messages. As in the HTML standard, section 9.2.6.
export class Reader {
  #rest = '';
  #message: Message = {id: '', event: '', data: ''};

  take(text: string): Message[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const whole: Message[] = [];
    for (const line of lines) {
      if (line !== '') {
        this.#line(line);
      } else if (this.#message.data !== '' || this.#message.event !== '') {
        whole.push({...this.#message, event: this.#message.event || 'message'});
        this.#message = {id: this.#message.id, event: '', data: ''};
      }
    }
    return whole;
  }

  #line(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment, which keeps the connection alive
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#message.data += this.#message.data === '' ? value : `\n${value}`;
    else if (name === 'event') this.#message.event = value;
    else if (name === 'id') this.#message.id = value;
  }
}

const wait = (milliseconds: number, signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, {once: true});
});

// One connection, to its end. false: there is nothing more to come.
async function listen(path: string, last: {id: string}, told: (name: string, data: unknown) => void, signal: AbortSignal): Promise<boolean> {
  const resume: Record<string, string> = last.id ? {'Last-Event-ID': last.id} : {};
  const answer = await fetch(base + path, {headers: {Accept: 'text/event-stream', ...resume, ...(await authorization())}, signal, cache: 'no-store'});
  if (answer.status === 401) return refresh();
  if (!answer.ok || answer.body === null) return answer.status >= 500 || answer.status === 429;
  const reader = new Reader();
  const decoder = new TextDecoder();
  const body = answer.body.getReader();
  for (;;) {
    const {value, done} = await body.read();
    if (done) return true;
    for (const message of reader.take(decoder.decode(value, {stream: true}))) {
      last.id = message.id || last.id;
      told(message.event, message.data === '' ? null : JSON.parse(message.data));
      if (message.event === 'end') return false;
    }
  }
}

// Until the event "end" or until the returned function is called.
export function subscribe(path: string, told: (name: string, data: unknown) => void): () => void {
  const stop = new AbortController();
  const last = {id: ''};
  void (async () => {
    for (let pause = 500; !stop.signal.aborted; pause = Math.min(pause * 2, 15_000)) {
      const began = Date.now();
      try {
        if (!(await listen(path, last, told, stop.signal))) return;
      } catch {
        // the connection broke: tried again below
      }
      if (Date.now() - began > 10_000) pause = 500;
      await wait(pause, stop.signal);
    }
  })();
  return () => stop.abort();
}
