// transport_ws.js - one WebSocket for many sessions: the protocol of /v1/realtime/ws.
import { RealtimeError } from './pace.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // what a subprotocol may consist of

const CODES = {
  4401: ['AUTH_INVALID', 401], 4403: ['REVOKED', 403], 4429: ['TOO_MANY_STREAMS', 429],
};

/**
 * Open until `ended`; `ready` resolves when the appliance knows who we are.
 * A line ends with why: 'cut' (the socket broke), or what the appliance said.
 */
export class Socket {
  #core; #ws; #token;
  #lines = new Map(); // session id -> line
  #leaving = new Map(); // session id -> {left: Promise, done()}: unsubscribed, the answer is on its way
  #ready; #asked = 0;

  /** @param {import('./core.js').Core} core @param {string} token */
  constructor(core, token) {
    this.#core = core;
    this.#token = token;
    this.transport = 'websocket';
    this.heard = Date.now();
    this.heartbeat = core.heartbeat;
    this.ended = null;
    this.wasReady = false;
    this.ready = new Promise((resolve, reject) => { this.#ready = { resolve, reject }; });
    this.ready.catch(() => {});
    const fits = TOKEN.test(token);
    const protocols = fits ? ['lifeos.v1', `bearer.${token}`] : ['lifeos.v1'];
    this.#ws = new core.WebSocket(`${core.url.replace(/^http/, 'ws')}/v1/realtime/ws`, protocols);
    this.#ws.onopen = () => { if (!fits) this.#send({ op: 'auth', token }); };
    this.#ws.onmessage = (m) => this.#message(m.data);
    this.#ws.onclose = (e) => this.#end(e.code, e.reason);
    this.#ws.onerror = () => {};
    core.watch(this);
    this.timer = setTimeout(() => this.close(1006, 'no answer'), core.options.connectMs);
  }

  get size() { return this.#lines.size; }

  /** @param {import('./session.js').Sink} sink @returns {import('./session.js').Line} */
  follow(sink) {
    let finish;
    const line = {
      transport: 'websocket', sink, live: false, done: new Promise((resolve) => { finish = resolve; }),
      ack: (sequence) => line.live && this.#send({ op: 'ack', sessionId: sink.id, sequence }),
      close: (why) => this.#leave(line, { why }),
      finish: (end) => { if (this.#lines.get(sink.id) === line) this.#lines.delete(sink.id); finish(end); },
    };
    this.#lines.set(sink.id, line);
    const left = this.#leaving.get(sink.id)?.left;
    if (left) left.then(() => this.#subscribe(line));
    else this.#subscribe(line);
    return line;
  }

  /** Is anybody there? Sends a ping and expects anything at all within `ms`. */
  probe(ms = 3000) {
    if (this.ended) return;
    const asked = Date.now();
    this.#ping();
    setTimeout(() => { if (!this.ended && this.heard < asked) this.close(1006, 'no answer'); }, ms);
  }

  /** Every tick of the client's clock. */
  check(now) {
    const quiet = now - this.heard;
    if (quiet > 2500 * this.heartbeat) this.close(1006, 'silent');
    else if (this.wasReady && quiet > 1000 * this.heartbeat && now - this.#asked > 1000 * this.heartbeat) this.#ping();
  }

  /** Does not wait for the other side, which may be gone. */
  close(code = 1000, reason = '') {
    const ws = this.#ws;
    ws.onopen = ws.onmessage = ws.onclose = null;
    try { ws.close(1000); } catch { /* it was not open yet */ }
    this.#end(code, reason);
  }

  #ping() {
    this.#asked = Date.now();
    this.#send({ op: 'ping' });
  }

  #send(message) {
    if (this.ended || this.#ws.readyState !== 1) return false;
    this.#ws.send(JSON.stringify(message));
    return true;
  }

  #subscribe(line) {
    if (this.#lines.get(line.sink.id) !== line || this.ended) return;
    const { id, consumerId } = line.sink;
    const after = line.sink.cursor();
    const resumeToken = line.sink.resumeToken();
    this.#send({
      op: 'subscribe', sessionId: id, ...(after !== null && { afterSequence: after }), ...(consumerId && { consumerId }),
      ...(resumeToken && { resumeToken }),
    });
    line.asked = true;
  }

  #leave(line, end) {
    const { id } = line.sink;
    if (this.#lines.get(id) === line && line.asked && !this.#leaving.has(id) && this.#send({ op: 'unsubscribe', sessionId: id })) {
      let done;
      const left = new Promise((resolve) => { done = resolve; });
      // An appliance that does not answer this is not to be trusted with what follows.
      const timer = setTimeout(() => this.close(1006, 'no answer'), this.#core.options.connectMs);
      this.#leaving.set(id, { left, done: () => { clearTimeout(timer); this.#leaving.delete(id); done(); } });
    }
    line.finish(end);
  }

  #end(code, reason) {
    if (this.ended) return;
    this.ended = { code, reason };
    clearTimeout(this.timer);
    this.#core.forget(this);
    for (const { done } of [...this.#leaving.values()]) done();
    const [name, status] = CODES[code] ?? ['UNREACHABLE', 0];
    const error = new RealtimeError(reason || `the socket closed with ${code}`, { code: name, status, retryable: status !== 403 });
    const why = code === 4401 ? 'token' : code === 4403 ? 'refused' : 'cut';
    const end = { why, error, token: this.#token, reason };
    this.#ready.reject(end);
    for (const line of [...this.#lines.values()]) line.finish(end);
    this.#core.socketEnded(this, end);
  }

  #message(text) {
    let m;
    try { m = JSON.parse(text); } catch { return this.close(1006, 'not JSON'); }
    this.heard = Date.now();
    const id = m.sessionId ?? m.event?.sessionId;
    const line = this.#lines.get(id);
    switch (m.op) {
      case 'ready':
        clearTimeout(this.timer);
        this.heartbeat = m.heartbeatSeconds ?? this.heartbeat;
        this.wasReady = true;
        this.#core.tokenAccepted();
        this.#ready.resolve(m);
        break;
      case 'pong':
        this.#core.stats.rttMs = this.heard - this.#asked;
        break;
      case 'subscribed':
        if (!line?.asked || line.live || this.#leaving.has(id)) break;
        line.live = true;
        line.sink.opened(m);
        break;
      case 'event': {
        // What comes for a subscription that is being left belongs to nobody: its successor starts from the cursor.
        const wrong = line?.live && !this.#leaving.has(id) ? line.sink.event(m.event) : null;
        if (wrong) this.#leave(line, { why: wrong });
        break;
      }
      case 'reset':
        if (line?.asked && !this.#leaving.has(id)) line.sink.reset(m);
        break;
      case 'acked':
        line?.sink.acked(m.sequence);
        break;
      case 'unsubscribed':
        if (this.#leaving.has(id)) this.#leaving.get(id).done();
        else line?.finish(this.#unsubscribed(m.reason));
        break;
      case 'error':
        this.#refused(m, line);
        break;
      default: // a newer appliance says more; what matters to us it says in words we know
    }
  }

  #unsubscribed(reason) {
    if (reason === 'revoked') return { why: 'refused', error: new RealtimeError('access was revoked', { code: 'REVOKED', status: 403 }) };
    return { why: 'lost', error: new RealtimeError(`unsubscribed: ${reason}`) };
  }

  #refused(m, line) {
    if (m.for === 'unsubscribe' && this.#leaving.has(m.sessionId)) this.#leaving.get(m.sessionId).done();
    const error = new RealtimeError(m.message ?? m.code, { code: m.code, retryable: m.retryable, status: m.retryable ? 503 : 400, retryAfter: m.retryAfter });
    if (m.for === 'subscribe' && this.#leaving.has(m.sessionId)) this.#leaving.get(m.sessionId).done();
    else if (m.for === 'subscribe' && line) line.finish({ why: m.code === 'TOO_MANY_SUBSCRIPTIONS' ? 'crowded' : m.retryable ? 'lost' : 'refused', error });
    else if (m.for === 'ack' && line) line.sink.ackRefused(error);
    else this.#core.complain(error);
  }
}
