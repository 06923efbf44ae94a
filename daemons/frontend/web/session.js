// session.js - one followed session: every event once, in order, whatever happens to the line under it.
import { Nap, Pace, RealtimeError } from './pace.js';

const ACK_MS = 250; // at most one acknowledgement in this time

/**
 * What a transport needs of a session.
 * @typedef {object} Sink
 * @property {string} id
 * @property {() => number | null} cursor      the last sequence it has; null: the appliance knows (a consumer's checkpoint)
 * @property {string | undefined} consumerId
 * @property {() => string | undefined} resumeToken   to be shown once, with the next subscribe
 * @property {() => Promise<string>} claim     does that over HTTP instead; the path of the live stream
 * @property {(info: object) => void} opened   it stands: fromSequence, latestSequence, status, resumeToken
 * @property {(event: object) => string | null} event   null: taken, go on; else why the line has to end
 * @property {(reset: object) => void} reset
 * @property {(sequence: number) => void} acked
 * @property {(error: RealtimeError) => void} ackRefused
 * @property {boolean=} alone                  sockets have no room for it: it follows over a stream of its own
 * @property {(ms: number) => void} retry
 *
 * One attempt to follow it.
 * @typedef {object} Line
 * @property {string} transport
 * @property {(why: string) => void} close
 * @property {Promise<{why: string, error?: Error, retryAfter?: number, token?: string}>} done
 * @property {((sequence: number) => boolean)=} ack   false: not now
 *
 * @typedef {'idle' | 'connecting' | 'live' | 'waiting' | 'full' | 'failed' | 'closed'} SessionState
 */

/**
 * A session that is followed from the moment somebody listens: on('event'), on('transcript.final'), for await.
 *
 * Events of `on`: 'event' (each event), any event type (those events), 'reset' ({reason, fromSequence, latestSequence,
 * had}: everything after fromSequence follows again), 'open' ({fromSequence, latestSequence, status}), 'state', 'acked'
 * (sequence), 'error' (RealtimeError; the session has failed and is not followed any more).
 */
export class Session {
  #core; #options; #sink;
  #handlers = new Map();
  #last; #consumed; // sequences: taken from the line; done with by the application
  #state = 'idle';
  #line = null; #running = false; #nap = new Nap(); #pace;
  #queue = null; #waiting = null; #room = null; // of the iteration, if there is one
  #wanted = 0; #acked = 0; #ackTimer = null; #ackSent = 0; #acking = false;
  #resumeToken; #opens = 0; #progress = 0;

  /** @param {import('./core.js').Core} core */
  constructor(core, id, options) {
    this.#core = core;
    /** @readonly */
    this.id = id;
    this.#options = { buffer: 1024, ack: options.consumerId ? 'auto' : 'manual', ...options };
    this.#last = options.after ?? (options.consumerId ? null : 0);
    this.#consumed = this.#last ?? 0;
    this.#resumeToken = options.resumeToken;
    this.#pace = new Pace(core.options.backoff);
    /** Which transport it is on at the moment. */
    this.transport = null;
    /** The newest sequence the appliance told of. */
    this.latestSequence = 0;
    /** The session's status when the stream was opened: created, active, ended, failed. */
    this.status = undefined;
    /** @type {RealtimeError | null} why it failed */
    this.error = null;
    this.#sink = {
      id, consumerId: options.consumerId,
      cursor: () => this.#last,
      resumeToken: () => this.#resumeToken,
      claim: () => this.#claim(),
      opened: (info) => this.#opened(info),
      event: (event) => this.#event(event),
      reset: (reset) => this.#reset(reset),
      acked: (sequence) => this.#ackDone(sequence),
      ackRefused: (error) => this.#ackRefused(this.#wanted, error),
      retry: (ms) => { this.#pace.min = Math.min(Math.max(ms, 100), 30000); },
    };
  }

  /** The last sequence that was delivered. */
  get sequence() { return this.#last ?? 0; }

  /** The last sequence the appliance has stored as this consumer's checkpoint. */
  get ackedSequence() { return this.#acked; }

  /** @returns {SessionState} */
  get state() { return this.#state; }

  /**
   * @param {string} name
   * @param {(arg: any) => void} handler
   * @returns {() => void} takes it off again
   */
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(handler);
    if (name === 'event' || name.includes('.')) this.#begin();
    return () => this.#handlers.get(name)?.delete(handler);
  }

  /** Follows it again after it failed. Without listeners there is nothing to follow it for. */
  start() {
    if (this.#state === 'failed') {
      this.error = null;
      this.#set('idle');
    }
    this.#begin();
    return this;
  }

  #begin() {
    if (this.#running || this.#state === 'closed' || this.#state === 'failed') return;
    this.#running = true;
    // What else is attached in the same breath hears everything.
    queueMicrotask(() => this.#run());
  }

  /** Acknowledges everything up to `sequence` (default: all that was delivered). Needs a consumerId. */
  ack(sequence = this.sequence) {
    if (!this.#options.consumerId) throw new TypeError('ack() needs the option consumerId: whose progress is it?');
    this.#want(Math.min(sequence, this.sequence));
  }

  /** Stops; what was acknowledged is still sent. */
  close() {
    if (this.#state === 'closed') return;
    this.#flush(true);
    this.#set('closed');
    this.#line?.close('closed');
    this.#nap.wake();
    this.#room?.();
    this.#waiting?.({ done: true, value: undefined });
    this.#core.left(this);
  }

  /** One event after the other, as fast as they are taken; what piles up is bounded by the option `buffer`. */
  [Symbol.asyncIterator]() {
    if (this.#queue) throw new TypeError('this session is being iterated already');
    this.#queue = [];
    this.#begin();
    let given = null;
    const settle = () => {
      if (given !== null) this.#processed(given);
      given = null;
    };
    const give = (event) => {
      given = event.sequence;
      return { done: false, value: event };
    };
    return {
      next: async () => {
        settle();
        if (this.#queue?.length) {
          const event = this.#queue.shift();
          if (this.#queue.length * 2 <= this.#options.buffer) this.#room?.();
          return give(event);
        }
        if (this.#state === 'closed' || !this.#queue) return { done: true, value: undefined };
        if (this.#state === 'failed') throw this.error;
        const got = await new Promise((resolve, reject) => {
          this.#waiting = (r) => { this.#waiting = null; r instanceof Error ? reject(r) : resolve(r); };
        });
        return got.done ? got : give(got.value);
      },
      return: async () => {
        settle();
        this.#iterationEnds();
        return { done: true, value: undefined };
      },
    };
  }

  // Whoever breaks out of a loop has not seen what waited: a later loop gets it.
  #iterationEnds() {
    this.#queue = null;
    this.#room?.();
    if (this.#listened()) return;
    this.#last = this.#consumed;
    this.#line?.close('idle');
    this.#nap.wake();
  }

  #listened() {
    if (this.#queue) return true;
    for (const [name, set] of this.#handlers) if (set.size && (name === 'event' || name.includes('.'))) return true;
    return false;
  }

  #set(state) {
    if (this.#state === state) return;
    this.#state = state;
    if (state !== 'live') this.transport = null;
    this.#emit('state', state);
    this.#core.changed();
  }

  #emit(name, arg) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      // One handler's fault is the page's to hear of, and nobody else's.
      try { handler(arg); } catch (e) { this.#core.complain(e); }
    }
  }

  // ---- the line ----

  async #run() {
    for (;;) {
      if (this.#queue && this.#queue.length >= this.#options.buffer) {
        this.#set('full');
        await new Promise((resolve) => { this.#room = resolve; });
        this.#room = null;
      }
      if (this.#state === 'closed' || !this.#listened()) break;
      this.#set('connecting');
      const end = await this.#follow();
      if (this.#state === 'closed' || end.why === 'idle') break;
      const wait = this.#judge(end);
      if (wait === null) break;
      if (wait > 0) {
        this.#set('waiting');
        await this.#nap.sleep(wait);
      }
    }
    this.#running = false;
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#set('idle');
    if (this.#listened()) this.#begin();
  }

  async #follow() {
    let line;
    try {
      line = await this.#core.open(this.#sink);
    } catch (error) {
      return error.why ? error : { why: 'lost', error };
    }
    this.#line = line;
    this.#progress = 0;
    if (this.#state === 'closed') line.close('closed');
    const end = await line.done;
    this.#line = null;
    return end;
  }

  /** Milliseconds until the next attempt; null: there is none. */
  #judge({ why, error, retryAfter, token }) {
    const stats = this.#core.stats;
    switch (why) {
      case 'gap': return this.#pace.next();
      case 'crowded': this.#sink.alone = true; return 0;
      case 'stale': stats.stalls++; return 0;
      case 'cut': case 'full': case 'switch': return 0;
      case 'token': return this.#core.tokenRefused(token) ? 0 : this.#fail(error);
      case 'refused': return this.#fail(error);
      default: return this.#pace.next(retryAfter);
    }
  }

  #fail(error) {
    this.error = error ?? new RealtimeError('the token is not valid here', { code: 'AUTH_INVALID', status: 401 });
    this.#set('failed');
    this.#emit('error', this.error);
    this.#waiting?.(this.error);
    return null;
  }

  /** Something may have happened to the network: whoever waits does not any more. */
  wake() { this.#nap.wake(); }

  /** Leaves the line it is on and takes the one the client now prefers. */
  move() { this.#line?.close('switch'); }

  #path() { return `/v1/realtime/sessions/${encodeURIComponent(this.id)}/events`; }

  /** What a socket says in its subscribe, said over HTTP: the resume token, and whose checkpoint to start from. */
  async #claim() {
    if (this.#resumeToken) {
      const got = await this.#core.resume(this.id, this.#resumeToken, this.#last ?? undefined);
      this.#resumeToken = undefined;
      this.status = got.session?.status;
    }
    if (this.#last === null) {
      const consumer = encodeURIComponent(this.#options.consumerId);
      const got = await this.#core.request('GET', `${this.#path()}?consumerId=${consumer}&limit=1`, { tries: 1 });
      this.#last ??= this.#consumed = this.#acked = got.watermark?.sequence ?? 0;
    }
    return `${this.#path()}?afterSequence=${this.#last}`;
  }

  #opened(info) {
    if (info.resumeToken) {
      this.#resumeToken = undefined;
      this.#core.remember(this.id, info.resumeToken);
    }
    if (this.#last === null) this.#last = this.#consumed = this.#acked = info.fromSequence ?? 0;
    this.latestSequence = Math.max(this.latestSequence, info.latestSequence ?? 0);
    this.status = info.status ?? this.status;
    if (this.#opens++ > 0) this.#core.stats.reconnects++;
    this.transport = this.#line?.transport ?? null;
    this.#set('live');
    this.#emit('open', info);
    if (this.#wanted > this.#acked) this.#ackSoon();
  }

  // ---- events ----

  #event(event) {
    const stats = this.#core.stats;
    // What nobody hears is not delivered: it waits where it is stored.
    if (!this.#listened()) return 'idle';
    if (event.sequence <= this.#last) {
      stats.duplicates++;
      return null;
    }
    if (event.sequence !== this.#last + 1) {
      stats.gaps++;
      this.#emit('gap', { expected: this.#last + 1, got: event.sequence });
      return 'gap';
    }
    this.#last = event.sequence;
    this.latestSequence = Math.max(this.latestSequence, event.sequence);
    if (++this.#progress === 1) this.#pace.ok();
    stats.events++;
    this.#emit('event', event);
    this.#emit(event.type, event);
    if (!this.#queue) {
      this.#processed(event.sequence);
      return null;
    }
    if (this.#waiting) this.#waiting({ done: false, value: event });
    else this.#queue.push(event);
    return this.#queue.length >= this.#options.buffer ? 'full' : null;
  }

  #reset({ reason, fromSequence, latestSequence }) {
    const had = this.#last ?? 0;
    this.#core.stats.resets++;
    this.#last = fromSequence;
    this.#consumed = Math.min(this.#consumed, fromSequence);
    this.#wanted = this.#acked = Math.min(this.#acked, fromSequence);
    this.latestSequence = latestSequence ?? fromSequence;
    if (this.#queue) this.#queue.length = 0;
    this.#emit('reset', { reason, fromSequence, latestSequence, had });
  }

  #processed(sequence) {
    if (sequence <= this.#consumed) return;
    this.#consumed = sequence;
    if (this.#options.ack === 'auto' && this.#options.consumerId) this.#want(sequence);
  }

  // ---- acknowledgements ----

  #want(sequence) {
    if (sequence <= this.#wanted) return;
    this.#wanted = sequence;
    this.#ackSoon();
  }

  #ackSoon(atLeast = 0) {
    const wait = Math.max(atLeast, this.#ackSent + ACK_MS - Date.now(), 0);
    this.#ackTimer ??= setTimeout(() => { this.#ackTimer = null; this.#flush(false); }, Math.min(wait, 60000));
  }

  /** Sends the newest acknowledgement; `last`: now, because there may be no later. */
  #flush(last) {
    const sequence = this.#wanted;
    if (sequence <= this.#acked || (this.#acking && !last)) return;
    this.#ackSent = Date.now();
    if (this.#line?.ack) {
      // If the socket breaks first, the next opened() sends it again.
      if (this.#state === 'live') this.#line.ack(sequence);
      return;
    }
    this.#acking = true;
    this.#core.checkpoint(this.id, this.#options.consumerId, sequence, last)
      .then(() => this.#ackDone(sequence), (error) => this.#ackRefused(sequence, error))
      .finally(() => {
        this.#acking = false;
        if (this.#wanted > this.#acked && this.#state !== 'closed' && !this.#ackTimer) this.#ackSoon();
      });
  }

  /** The page is about to be hidden. */
  flush() { this.#flush(true); }

  #ackDone(sequence) {
    this.#core.stats.acks++;
    if (sequence <= this.#acked) return;
    this.#acked = sequence;
    this.#emit('acked', sequence);
  }

  #ackRefused(sequence, error) {
    if (error.retryable || !error.status) {
      if (this.#state !== 'closed') this.#ackSoon(1000 * Math.max(1, error.retryAfter ?? 0));
      return;
    }
    // Asking again would get the same answer; a later event is a new question.
    if (this.#wanted === sequence) this.#wanted = this.#acked;
    this.#core.complain(error);
  }
}
