// sse.mjs - a live stream opened with the `eventsource` package, collecting what it is told.
import { EventSource } from 'eventsource';
import { until, url } from './client.mjs';

export class Listener {
  constructor(token, sessionId, { after, consumer, headers = {}, at = url } = {}) {
    this.events = [];
    this.named = { ready: [], reset: [], close: [] };
    this.statuses = [];
    const query = after !== undefined ? `?afterSequence=${after}` : consumer ? `?consumerId=${consumer}` : '';
    this.source = new EventSource(`${at}/v1/realtime/sessions/${sessionId}/events${query}`, {
      fetch: async (input, init) => {
        const res = await fetch(input, { ...init, headers: { ...init.headers, ...headers, authorization: `Bearer ${token}` } });
        this.statuses.push(res.status);
        this.lastHeaders = res.headers;
        return res;
      },
    });
    this.source.addEventListener('message', (m) => this.events.push({ id: m.lastEventId, ...JSON.parse(m.data) }));
    for (const name of Object.keys(this.named))
      this.source.addEventListener(name, (m) => this.named[name].push(JSON.parse(m.data)));
  }

  get sequences() { return this.events.map((e) => e.sequence); }

  ready() { return until('ready', () => this.named.ready.length); }

  /** Until the listener has seen sequence n. */
  reached(n, seconds) { return until(`sequence ${n} (have ${this.sequences.at(-1)})`, () => this.sequences.at(-1) >= n, seconds); }

  close() { this.source.close(); }
}

/** 1, 2, 3, ... n. */
export const counted = (n, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => i + from);
