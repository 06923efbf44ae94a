// core.js - what the sessions of one client share: its identity, its socket, its clock, its requests. Not for applications.
import { Nap, Pace, RealtimeError, refusal } from './pace.js';
import { followSse } from './transport_sse.js';
import { Socket } from './transport_ws.js';

/** A signal that fires after `ms` of silence, or with `signal`. @param {number} ms @param {AbortSignal} [signal] */
function bounded(ms, signal) {
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(new RealtimeError('no answer in time', { retryable: true })), ms);
  };
  heard();
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  return {
    signal: own.signal, heard,
    done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    },
  };
}

const WS_FAILURES = 2; // attempts that do not come to `ready` before event streams are used

export class Core {
  #source; #token = null; #shown = null; #fresh = false; #asked = 0;
  #watched = new Set(); #clock = null; #last = 0;
  #socket = null; #dialing = null; #failures = 0; #streams; #nap = new Nap(); #again = 0; #wait; #pace;
  #memory = new Map();
  sessions = new Map();
  closed = false;
  lastError = null;

  /** @param {import('./realtime.js').RealtimeOptions} options @param {() => void} changed */
  constructor(options, changed) {
    this.options = { transport: 'auto', heartbeatSeconds: 15, connectMs: 15000, retryWebSocketMs: 60000, ...options };
    this.url = String(options.url ?? globalThis.location?.origin ?? '').replace(/\/+$/, '');
    if (!/^https?:\/\//.test(this.url)) throw new TypeError('url: the gateway\'s origin, http(s)://host');
    if (!['auto', 'websocket', 'sse'].includes(this.options.transport)) throw new TypeError('transport: auto, websocket or sse');
    if (!['string', 'function'].includes(typeof options.token)) throw new TypeError('token: a string or a function');
    this.#source = options.token;
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.WebSocket = options.WebSocket === undefined ? globalThis.WebSocket : options.WebSocket;
    if (!this.WebSocket && this.options.transport === 'websocket') throw new TypeError('there is no WebSocket here; pass one as an option');
    this.heartbeat = this.options.heartbeatSeconds;
    this.changed = changed;
    this.#streams = this.options.transport === 'sse' || !this.WebSocket;
    this.#wait = this.options.retryWebSocketMs;
    this.#pace = new Pace(this.options.backoff);
    /** @type {import('./realtime.js').Stats} */
    this.stats = {
      events: 0, duplicates: 0, gaps: 0, resets: 0, reconnects: 0, stalls: 0, wakes: 0, fallbacks: 0, refreshes: 0, acks: 0,
      rttMs: null,
    };
  }

  get transport() { return this.#streams ? 'sse' : 'websocket'; }

  // ---- identity ----

  /** @returns {Promise<string>} */
  token() {
    if (typeof this.#source === 'string') return Promise.resolve(this.#source);
    this.#token ??= this.#ask();
    return this.#token;
  }

  async #ask() {
    const reason = this.#asked++ === 0 ? 'first' : 'refused';
    try {
      this.#shown = String(await this.#source(reason));
      return this.#shown;
    } catch (error) {
      this.#token = null;
      throw error;
    }
  }

  tokenAccepted() { this.#fresh = false; }

  /** The appliance did not take it. True: there will be another. One is asked for, until one has been accepted. */
  tokenRefused(token) {
    if (typeof this.#source === 'string') return this.#source !== token;
    if (token !== this.#shown) return true; // another session has noticed before
    if (this.#fresh) return false;
    this.#fresh = true;
    this.#token = this.#shown = null;
    this.stats.refreshes++;
    return true;
  }

  setToken(source) {
    this.#source = source;
    this.#token = this.#shown = null;
    this.#fresh = false;
    for (const s of this.sessions.values()) if (s.error?.status === 401) s.start();
  }

  // ---- requests ----

  /**
   * One request as the actor; retried while the appliance says it is worth it and `again` agrees, at most `tries` times.
   * `take` makes the result of a good response, and says `heard()` as long as it comes.
   */
  async request(method, path, {
    body, key, keepalive = false, tries = 5, timeoutMs = this.options.connectMs, signal, again = () => true, take = (res) => res.json(),
  } = {}) {
    const pace = new Pace(this.options.backoff);
    for (let n = 1; ; n++) {
      let error;
      const token = await this.token();
      const bound = bounded(timeoutMs, signal);
      try {
        const res = await this.fetch(this.url + path, {
          method, keepalive, cache: 'no-store', signal: bound.signal,
          headers: {
            authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }),
          },
          body: body && JSON.stringify(body),
        });
        if (res.ok) {
          this.tokenAccepted();
          return await take(res, bound.heard);
        }
        error = await refusal(res);
        if (res.status === 401 && this.tokenRefused(token)) continue;
      } catch (e) {
        if (signal?.aborted) throw e;
        error = e instanceof RealtimeError ? e : new RealtimeError(e.message, { retryable: true });
      } finally {
        bound.done();
      }
      if (!error.retryable || n >= tries || this.closed || !again(error)) throw error;
      await new Promise((resolve) => { setTimeout(resolve, pace.next(error.retryAfter)); });
    }
  }

  async resume(id, resumeToken, lastAckSequence) {
    const answer = await this.request('POST', `/v1/call/sessions/${encodeURIComponent(id)}/reconnect`, {
      body: { resumeToken, ...(lastAckSequence !== undefined && { lastAckSequence }) },
    });
    const next = answer.session?.resumeToken ?? answer.resumeToken;
    if (next) this.remember(id, next);
    return answer;
  }

  checkpoint(id, consumerId, sequence, keepalive) {
    return this.request('POST', `/v1/realtime/sessions/${encodeURIComponent(id)}/checkpoint`, {
      body: { consumerId, watermarkSequence: sequence }, keepalive, tries: 1,
    });
  }

  #storage() {
    if (this.options.storage !== undefined) return this.options.storage;
    try { return globalThis.sessionStorage; } catch { return null; } // pages without storage throw
  }

  remember(id, resumeToken) {
    this.#memory.set(id, resumeToken);
    try { this.#storage()?.setItem(`lifeos.resume.${id}`, resumeToken); } catch { /* full: memory has it */ }
  }

  remembered(id) {
    try { return this.#memory.get(id) ?? this.#storage()?.getItem(`lifeos.resume.${id}`) ?? undefined; } catch { return undefined; }
  }

  // ---- lines ----

  /** A line for this session, on whichever transport it is to be. @param {import('./session.js').Sink} sink */
  async open(sink) {
    for (;;) {
      if (this.#streams || sink.alone) return followSse(this, sink);
      const socket = await this.#shared();
      if (socket) return socket.follow(sink);
    }
  }

  /** The socket, dialled once for all who ask; null: use streams. */
  #shared() {
    if (this.#socket && !this.#socket.ended) return this.#socket.ready.then(() => this.#socket);
    this.#dialing ??= this.#dial().finally(() => { this.#dialing = null; });
    return this.#dialing;
  }

  async #dial() {
    if (this.#pace.tries > 0) await this.#nap.sleep(this.#pace.next());
    else this.#pace.tries = 1;
    if (this.closed) throw { why: 'closed' };
    const token = await this.token();
    try {
      this.#socket = new Socket(this, token);
      await this.#socket.ready;
      this.#failures = 0;
      this.#wait = this.options.retryWebSocketMs;
      setTimeout(() => { if (!this.#socket?.ended) this.#pace.ok(); }, 5000);
      return this.#socket;
    } catch (end) {
      if (end.why === 'token' || end.why === 'refused') throw end;
      this.lastError = end.error ?? end;
      if (await this.#there(token) && this.options.transport === 'auto' && ++this.#failures >= WS_FAILURES) this.#fallBack();
      return null;
    }
  }

  /** A browser does not tell why an upgrade failed. A request does: the token, everything, or only WebSockets. */
  async #there(token) {
    try {
      await this.request('GET', '/v1/call/sessions?limit=1', { tries: 1 });
      return true;
    } catch (error) {
      if (error.status === 401) throw { why: 'token', error, token };
      return error.status > 0 && error.status !== 502 && error.status !== 503;
    }
  }

  #fallBack() {
    this.#streams = true;
    this.#failures = 0;
    this.#pace.ok();
    this.stats.fallbacks++;
    this.#again = Date.now() + this.#wait;
    this.#wait = Math.min(this.#wait * 2, 600000);
    this.changed();
  }

  /** Is there a WebSocket to be had by now? Sessions move over when it stands, not before. */
  async #tryAgain() {
    this.#again = Infinity;
    try {
      const socket = new Socket(this, await this.token());
      await socket.ready;
      this.#socket = socket;
      this.#streams = false;
      this.#pace.ok();
      for (const s of this.sessions.values()) s.move();
    } catch {
      this.#again = Date.now() + this.#wait;
      this.#wait = Math.min(this.#wait * 2, 600000);
    }
    this.changed();
  }

  socketEnded(socket, end) {
    if (this.#socket === socket) this.#socket = null;
    if (end.reason === 'silent' || end.reason === 'no answer') this.stats.stalls++;
    this.lastError = end.error;
  }

  // ---- the clock ----

  watch(line) {
    this.#watched.add(line);
    if (this.#clock) return;
    this.#last = Date.now();
    const tick = Math.min(1000, Math.max(50, this.heartbeat * 250));
    this.#clock = setInterval(() => this.#tick(tick), tick);
    this.#clock.unref?.();
  }

  forget(line) {
    this.#watched.delete(line);
    if (this.#watched.size || !this.#clock) return;
    clearInterval(this.#clock);
    this.#clock = null;
  }

  #tick(period) {
    const now = Date.now(), gap = now - this.#last - period;
    this.#last = now;
    for (const line of [...this.#watched]) {
      if (now < line.heard) line.heard = now; // somebody set the clock back
      line.check(now);
    }
    if (gap > 5000) this.wake(false);
    if (this.#streams && this.options.transport === 'auto' && this.WebSocket && now > this.#again && this.#again > 0) this.#tryAgain();
  }

  /** The machine may have slept; `surely`: the network is another one now. Whoever waits tries at once. */
  wake(surely) {
    const now = Date.now();
    this.stats.wakes++;
    for (const line of [...this.#watched])
      if (line.transport === 'websocket' || surely || now - line.heard > 1200 * line.heartbeat) line.probe();
    this.#nap.wake();
    for (const s of this.sessions.values()) s.wake();
  }

  left(session) {
    if (this.sessions.get(session.id) === session) this.sessions.delete(session.id);
    if (this.sessions.size === 0) this.#socket?.close();
    this.changed();
  }

  close() {
    this.closed = true;
    for (const s of [...this.sessions.values()]) s.close();
    this.#nap.wake();
    for (const line of [...this.#watched]) line.close('closed');
  }

  complain(error) {
    if (this.options.onError) this.options.onError(error);
    else if (globalThis.reportError) globalThis.reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

