// transport_sse.js - one session over text/event-stream, read with fetch: the token is in a header, never in a URL.
import { RealtimeError, refusal } from './pace.js';

const LINE_MAX = 4 << 20; // characters of one field; the appliance's largest event is far below

/** An incremental parser of text/event-stream (WHATWG HTML 9.2.6), told whole fields. */
export class SseParser {
  #rest = '';
  #data = [];
  #name = '';

  /** @param {{message(name: string, data: string): boolean, retry(ms: number): void}} to message: false stops */
  constructor(to) { this.to = to; }

  /** @param {string} text @returns {boolean} false: stopped */
  push(text) {
    const all = this.#rest + text;
    let from = 0;
    for (;;) {
      let end = from;
      while (end < all.length && all[end] !== '\n' && all[end] !== '\r') end++;
      // A CR at the very end may be half of a CR LF.
      if (end === all.length || (all[end] === '\r' && end + 1 === all.length)) break;
      const line = all.slice(from, end);
      from = end + (all[end] === '\r' && all[end + 1] === '\n' ? 2 : 1);
      if (!this.#line(line)) return false;
    }
    this.#rest = all.slice(from);
    if (this.#rest.length > LINE_MAX) throw new RealtimeError('a line of the stream does not end');
    return true;
  }

  #line(line) {
    if (line === '') {
      const data = this.#data, name = this.#name;
      this.#data = [];
      this.#name = '';
      return data.length === 0 || this.to.message(name || 'message', data.join('\n'));
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#name = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.to.retry(Number(value));
    return true;
  }
}

/**
 * Follows one session until it ends, one way or another.
 * @param {import('./core.js').Core} core
 * @param {import('./session.js').Sink} sink
 * @returns {import('./session.js').Line}
 */
export function followSse(core, sink) {
  const abort = new AbortController();
  let ours = null; // why we ended it
  let token = null;
  const line = {
    transport: 'sse', heard: Date.now(), heartbeat: core.heartbeat, done: null,
    close(why) {
      ours ??= { why };
      abort.abort();
    },
    // Nothing can be asked over a one-way stream: what is in doubt is opened anew, from the cursor.
    probe() { line.close('stale'); },
    check(now) {
      if (now - line.heard > 2500 * line.heartbeat) line.close('stale');
    },
  };

  const message = (name, text) => {
    const data = JSON.parse(text);
    if (name === 'message') {
      const wrong = sink.event(data);
      if (wrong) line.close(wrong);
    } else if (name === 'ready') {
      line.heartbeat = data.heartbeatSeconds ?? line.heartbeat;
      core.tokenAccepted();
      sink.opened(data);
    } else if (name === 'reset') {
      sink.reset(data);
    } else if (name === 'close') {
      if (data.reason === 'expired') ours ??= { why: 'token', token };
      else if (data.reason === 'revoked') ours ??= { why: 'refused', error: new RealtimeError('access was revoked', { code: 'REVOKED', status: 403 }) };
      line.close('lost');
    }
    return !ours;
  };

  const read = async (body) => {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser({ message, retry: (ms) => sink.retry(ms) });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      line.heard = Date.now();
      if (!parser.push(decoder.decode(value, { stream: true }))) return;
    }
  };

  const run = async () => {
    const timer = setTimeout(() => line.close('lost'), core.options.connectMs);
    try {
      const path = await sink.claim();
      token = await core.token();
      if (ours) return ours;
      const res = await core.fetch(core.url + path, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` }, signal: abort.signal, cache: 'no-store',
      });
      if (!res.ok) {
        const error = await refusal(res);
        if (res.status === 401) return { why: 'token', token, error };
        return { why: error.retryable ? 'lost' : 'refused', error, retryAfter: error.retryAfter };
      }
      if (!(res.headers.get('content-type') ?? '').startsWith('text/event-stream'))
        return { why: 'lost', error: new RealtimeError('something on the way answered instead of the appliance') };
      clearTimeout(timer);
      line.heard = Date.now();
      await read(res.body);
      return ours ?? { why: 'lost' };
    } catch (error) {
      if (ours) return ours;
      if (error instanceof RealtimeError && error.status && !error.retryable) return { why: error.status === 401 ? 'token' : 'refused', token, error };
      return { why: 'lost', error, retryAfter: error.retryAfter };
    } finally {
      clearTimeout(timer);
      core.forget(line);
      abort.abort();
    }
  };
  core.watch(line);
  line.done = run();
  return line;
}
