/**
 * realtime.js - follow sessions of a Life-OS Gateway: every event once, in order, whatever the network does.
 *
 *     import { Realtime, Transcript } from 'https://gateway.example/client/realtime.js';
 *
 *     const rt = new Realtime({ url: 'https://gateway.example', token: () => myBackend.lifeosToken() });
 *     const s = rt.session(sessionId, { consumerId: 'web' });
 *     const transcript = new Transcript();
 *     s.on('event', (e) => { if (transcript.add(e)) render(transcript.list()); });
 *     s.on('reset', () => transcript.clear());
 *
 * or, as fast as the loop takes them and no faster:
 *
 *     for await (const event of rt.session(sessionId)) await handle(event);
 *
 * A plain ES module without dependencies, for browsers and node 20 or newer. The line is a WebSocket shared by all
 * sessions; where none can be had, one event stream a session. A line that is cut, stalls, skips an event or slept
 * with the machine is replaced, and the new one starts after the last event that was delivered.
 */
import { Core } from './core.js';
import { Session } from './session.js';

export { RealtimeError } from './pace.js';
export { Session } from './session.js';
export { Transcript } from './transcript.js';

/**
 * @typedef {object} RealtimeOptions
 * @property {string=} url   the gateway's origin; default: where the page came from
 * @property {string | ((reason: 'first' | 'refused') => string | Promise<string>)} token
 *           a function is asked again when a token is refused or has expired
 * @property {('auto' | 'websocket' | 'sse')=} transport   default auto: WebSocket, event streams where it fails
 * @property {((state: RealtimeState) => void)=} onState
 * @property {((error: Error) => void)=} onError   faults that end nothing: a handler's, a refused acknowledgement
 * @property {{min?: number, max?: number}=} backoff   milliseconds, default 500 to 15000
 * @property {number=} heartbeatSeconds   of the appliance, until it says so itself; default 15
 * @property {number=} connectMs          a line that does not stand after this long is given up; default 15000
 * @property {number=} retryWebSocketMs   on event streams: when a WebSocket is tried again; default 60000, doubling
 * @property {typeof fetch=} fetch
 * @property {typeof WebSocket | null=} WebSocket
 * @property {{getItem(k: string): string | null, setItem(k: string, v: string): void, removeItem(k: string): void} | null=} storage
 *           where resume tokens are kept; default sessionStorage if there is one, else memory
 *
 * @typedef {object} RealtimeState
 * @property {'idle' | 'connecting' | 'live' | 'waiting' | 'failed' | 'closed'} state   live: every session is
 * @property {'websocket' | 'sse'} transport   what is used, or tried
 * @property {Error | null} error              of the session that failed, or of the last attempt
 *
 * @typedef {object} Stats
 * @property {number} events      delivered
 * @property {number} duplicates  arrived again and suppressed
 * @property {number} gaps        an event was missing: the line was replaced
 * @property {number} resets      the appliance sent back to an earlier sequence
 * @property {number} reconnects  lines that stood after the first of a session
 * @property {number} stalls      lines given up because they were silent
 * @property {number} wakes       the machine slept, or the network came back
 * @property {number} fallbacks   from WebSocket to event streams
 * @property {number} refreshes   tokens asked for because one was refused
 * @property {number} acks        confirmed
 * @property {number | null} rttMs  the last ping over the socket
 */

/** A client of one gateway: one identity, any number of sessions. */
export class Realtime {
  #core; #reported = ''; #due = false; #undo = [];

  /** @param {RealtimeOptions} options */
  constructor(options) {
    this.#core = new Core(options, () => this.#soon());
    const listen = (target, name, fn) => {
      target?.addEventListener?.(name, fn);
      this.#undo.push(() => target?.removeEventListener?.(name, fn));
    };
    const doc = globalThis.document;
    const flush = () => { for (const s of this.#core.sessions.values()) s.flush(); };
    listen(globalThis, 'online', () => this.#core.wake(true));
    listen(globalThis, 'pageshow', (e) => { if (e.persisted) this.#core.wake(true); });
    listen(globalThis, 'pagehide', flush);
    listen(doc, 'resume', () => this.#core.wake(true));
    listen(doc, 'visibilitychange', () => { if (doc.visibilityState === 'hidden') flush(); else this.#core.wake(false); });
  }

  /** @returns {Stats} counted since the start */
  get stats() { return { ...this.#core.stats }; }

  /** @returns {RealtimeState} */
  get state() {
    const all = [...this.#core.sessions.values()];
    const is = (state) => all.some((s) => s.state === state);
    const failed = all.find((s) => s.state === 'failed');
    const state = this.#core.closed ? 'closed' : failed ? 'failed' : is('waiting') ? 'waiting' : is('connecting') ? 'connecting'
      : is('live') || is('full') ? 'live' : 'idle';
    return { state, transport: this.#core.transport, error: failed?.error ?? (state === 'live' ? null : this.#core.lastError) };
  }

  /**
   * The session with this id; the same object until it is closed.
   * @param {string} id
   * @param {object} [options]
   * @param {number} [options.after]       deliver what comes after this sequence; default: the consumer's checkpoint, or all
   * @param {string} [options.consumerId]  whose progress is kept by the appliance
   * @param {'auto' | 'manual'} [options.ack]  auto: what handlers returned from, or the loop asked beyond
   * @param {string} [options.resumeToken] resumes the call session first, as resume() does
   * @param {number} [options.buffer]      events that may wait for a slow loop (default 1024)
   * @returns {Session}
   */
  session(id, options = {}) {
    if (this.#core.closed) throw new TypeError('this client is closed');
    const had = this.#core.sessions.get(id);
    if (had) return had;
    const s = new Session(this.#core, id, options);
    this.#core.sessions.set(id, s);
    return s;
  }

  /**
   * Takes a call session up again. The token it answers with replaces the shown one and is remembered; an answer that
   * was lost is asked for again with the same token.
   * @param {string} sessionId
   * @param {string} [resumeToken] default: the remembered one
   * @param {number} [lastAckSequence]
   * @returns {Promise<object>} {session, replay, ...}
   */
  async resume(sessionId, resumeToken = this.#core.remembered(sessionId), lastAckSequence = undefined) {
    if (!resumeToken) throw new TypeError('no resume token is known for this session');
    return this.#core.resume(sessionId, resumeToken, lastAckSequence);
  }

  /** Keeps the resume token that came with the creation of a session. */
  remember(sessionId, resumeToken) { this.#core.remember(sessionId, resumeToken); }

  /**
   * Any request of the API as this client's user: retried while that helps.
   * @param {string} method @param {string} path
   * @param {{body?: object, key?: string, tries?: number, timeoutMs?: number, signal?: AbortSignal,
   *          again?: (error: import('./pace.js').RealtimeError) => boolean,
   *          take?: (res: Response, heard: () => void) => Promise<any>}} [options]
   *        key: the Idempotency-Key of a state change; again: is this failure worth the same request once more?
   *        take: what is made of a good response instead of its JSON
   */
  request(method, path, options) { return this.#core.request(method, path, options); }

  /** Another token from now on; sessions that failed for want of one go on. */
  setToken(token) { this.#core.setToken(token); }

  /** Do not wait: check every line and try again now. */
  wake() { this.#core.wake(true); }

  close() {
    for (const undo of this.#undo) undo();
    this.#core.close();
    this.#soon();
  }

  // Several changes at once are told once.
  #soon() {
    if (this.#due || !this.#core.options.onState) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      const s = this.state, key = `${s.state} ${s.transport} ${s.error?.message}`;
      if (key === this.#reported) return;
      this.#reported = key;
      try { this.#core.options.onState(s); } catch (e) { this.#core.complain(e); }
    });
  }
}
