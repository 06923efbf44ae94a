// fake_gateway.mjs - an appliance that errs on command: what no real one does, a client must notice all the same.
import http from 'node:http';
import { until } from './client.mjs';
import { accept } from './websocket.mjs';

/** One client following one session, over either transport. */
class Follow {
  constructor(gateway, session, after, to) {
    Object.assign(this, { gateway, session, after, over: false, ...to });
  }

  event(sequence, more = {}) {
    const event = { eventId: `evt_${sequence}`, sequence, sessionId: this.session, ts: '2026-01-01T00:00:00.000Z', type: 'usage.tick', payload: {}, ...more };
    if (this.socket) this.socket.send(JSON.stringify({ op: 'event', event }));
    else this.res.write(`id: ${sequence}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  reset(reset) {
    if (this.socket) this.socket.send(JSON.stringify({ op: 'reset', sessionId: this.session, ...reset }));
    else this.res.write(`event: reset\ndata: ${JSON.stringify(reset)}\n\n`);
  }

  /** The appliance ends the stream because the token has. */
  expire() {
    if (this.socket) this.socket.close(4401, 'expired');
    else this.res.end('event: close\ndata: {"reason":"expired"}\n\n');
  }

  cut() { if (this.socket) this.socket.cut(); else this.res.destroy(); }
}

export class FakeGateway {
  follows = []; // every one, in the order they came
  acks = []; // {at, session, sequence}
  sockets = []; // every WebSocket
  requests = []; // {at, path} of everything else
  tokens = null; // accepted; null: all
  heartbeat = 15;
  upgrades = true; // false: WebSockets are refused
  refuse = []; // {status, headers} for the next attempts to follow over HTTP
  latest = 0;

  static async start(more = {}) {
    const g = Object.assign(new FakeGateway(), more);
    g.server = http.createServer((req, res) => g.#request(req, res));
    g.server.on('upgrade', (req, socket, head) => g.#upgrade(req, socket, head));
    await new Promise((resolve) => { g.server.listen(g.port ?? 0, '127.0.0.1', resolve); });
    g.url = `http://127.0.0.1:${g.server.address().port}`;
    return g;
  }

  /** The n-th attempt to follow, counted from 1. */
  async follow(n, seconds) {
    await until(`${n} attempts to follow (had ${this.follows.length})`, () => this.follows.length >= n, seconds);
    return this.follows[n - 1];
  }

  close() {
    this.server.closeAllConnections();
    for (const s of this.sockets) s.cut();
    this.server.close();
  }

  #known(token) { return !this.tokens || this.tokens.has(token); }

  #request(req, res) {
    const url = new URL(req.url, 'http://x');
    const json = (status, body, headers = {}) => res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    const [, id, what] = /^\/v1\/realtime\/sessions\/([^/]+)\/(events|checkpoint)$/.exec(url.pathname) ?? [];
    this.requests.push({ at: Date.now(), path: req.url });
    if (!this.#known(req.headers.authorization?.replace('Bearer ', ''))) return json(401, { ok: false, code: 'AUTH_INVALID', message: 'no', retryable: false });
    if (what === 'checkpoint') {
      let body = '';
      req.on('data', (d) => { body += d; });
      return req.on('end', () => {
        this.acks.push({ at: Date.now(), session: id, sequence: JSON.parse(body).watermarkSequence });
        json(200, { ok: true });
      });
    }
    if (what !== 'events') return json(200, { ok: true, sessions: [] });
    const refused = this.refuse.shift();
    if (refused) return json(refused.status, { ok: false, code: refused.code ?? 'BUSY', message: 'not now', retryable: refused.status >= 429 }, refused.headers);
    const after = Number(url.searchParams.get('afterSequence') ?? 0);
    const f = new Follow(this, id, after, { transport: 'sse', res });
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.socket.setNoDelay(true);
    res.on('close', () => { f.over = true; });
    res.write(`event: ready\ndata: ${JSON.stringify({ sessionId: id, fromSequence: after, latestSequence: this.latest, heartbeatSeconds: this.heartbeat })}\n\n`);
    return this.follows.push(f);
  }

  #upgrade(req, socket, head) {
    const token = req.headers['sec-websocket-protocol']?.split(', ').find((p) => p.startsWith('bearer.'))?.slice(7);
    if (!this.upgrades || !this.#known(token)) {
      this.requests.push({ at: Date.now(), path: req.url });
      socket.end(`HTTP/1.1 ${this.upgrades ? 401 : 404} no\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const mine = new Map();
    const end = accept(req, socket, head, 'lifeos.v1', {
      text: (text) => this.#said(end, mine, JSON.parse(text)),
      closed: () => { for (const f of mine.values()) f.over = true; },
    });
    this.sockets.push(end);
    end.send(JSON.stringify({ op: 'ready', heartbeatSeconds: this.heartbeat, userId: 'u', accountId: 'a' }));
  }

  #said(end, mine, m) {
    const say = (x) => end.send(JSON.stringify(x));
    if (m.op === 'ping' && !end.deaf) say({ op: 'pong' });
    if (m.op === 'subscribe') {
      const f = new Follow(this, m.sessionId, m.afterSequence ?? 0, { transport: 'websocket', socket: end });
      say({ op: 'subscribed', sessionId: m.sessionId, fromSequence: f.after, latestSequence: this.latest, status: 'active' });
      mine.set(m.sessionId, f);
      this.follows.push(f);
    }
    if (m.op === 'unsubscribe') {
      const f = mine.get(m.sessionId);
      mine.delete(m.sessionId);
      f.over = true;
      // What was on its way comes first, as it would.
      f.late?.();
      say({ op: 'unsubscribed', sessionId: m.sessionId, reason: 'client' });
    }
    if (m.op === 'ack') {
      this.acks.push({ at: Date.now(), session: m.sessionId, sequence: m.sequence });
      say({ op: 'acked', sessionId: m.sessionId, sequence: m.sequence });
    }
  }
}
