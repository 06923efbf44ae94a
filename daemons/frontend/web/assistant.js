/**
 * assistant.js - talk to the assistant of a Life-OS Gateway, and say yes or no to what it wants done.
 *
 *     import { Realtime } from 'https://gateway.example/client/realtime.js';
 *     import { Assistant } from 'https://gateway.example/client/assistant.js';
 *
 *     const ai = new Assistant(new Realtime({ url: 'https://gateway.example', token }));
 *     const answer = await ai.turn(sessionId, 'Draft a message to the hiring manager.');   // in a call
 *     for await (const frame of ai.stream('Shorten my CV.', { conversationId })) show(frame); // in a chat
 *
 * A request that got lost on its way is sent again under the same Idempotency-Key and turn id: it is the same turn. A turn
 * that failed is over; asking again is a new one, and up to whoever asks.
 */
import { RealtimeError } from './pace.js';
import { SseParser } from './transport_sse.js';

const SILENT_MS = 45000; // a stream has a heartbeat every 15 s
const OVER = /^(AI|TURN|ACTION|CONFIRMATION|SAFETY)_/; // the same request again would get the same answer

const id = (prefix) => prefix + [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
const again = (error) => !OVER.test(error.code);
const e = encodeURIComponent;
const query = (o) => {
  const q = new URLSearchParams(Object.entries(o).filter(([, v]) => v !== undefined && v !== null)).toString();
  return q && `?${q}`;
};

/**
 * One turn of a chat while it arrives: `for await` its frames, or on(type, fn) and `result`.
 * A frame is {v, type, payload, ts} of the UI contract; 'restart' is ours: the line broke, the answer comes again from
 * its beginning.
 */
export class ChatStream {
  #handlers = new Map(); #queue = []; #waiting = null; #over = false; #abort = new AbortController(); #stop;

  constructor(run, stop, { signal } = {}) {
    /** What was said so far. */
    this.text = '';
    this.#stop = stop;
    signal?.addEventListener('abort', () => this.leave(), { once: true });
    /** The payload of `done`; rejects with what the turn failed of. @type {Promise<object>} */
    this.result = run(this, this.#abort.signal).finally(() => this.#end());
    this.result.catch(() => {}); // whoever only iterates is told there
  }

  /** @param {string} type a frame's, or '*' @param {(frame: object) => void} fn */
  on(type, fn) {
    this.#handlers.set(type, [...(this.#handlers.get(type) ?? []), fn]);
    return this;
  }

  /** Stops the turn; what was said so far is kept, and `result` says TURN_CANCELLED. */
  stop() { return this.#stop(); }

  /** Goes away without a word, as a closed page does. */
  leave() { this.#abort.abort(new RealtimeError('left', { code: 'LEFT' })); }

  tell(frame) {
    const p = frame.payload ?? {};
    if (frame.type === 'restart') this.text = '';
    else if (frame.type === 'text.delta') this.text = p.fullText ?? this.text + (p.delta ?? '');
    else if (frame.type === 'text.done') this.text = p.fullText ?? this.text;
    for (const fn of [...(this.#handlers.get(frame.type) ?? []), ...(this.#handlers.get('*') ?? [])]) fn(frame);
    this.#queue.push(frame);
    this.#waiting?.();
  }

  #end() {
    this.#over = true;
    this.#waiting?.();
  }

  async* [Symbol.asyncIterator]() {
    for (;;) {
      while (this.#queue.length) yield this.#queue.shift();
      if (this.#over) break;
      await new Promise((resolve) => { this.#waiting = resolve; });
      this.#waiting = null;
    }
    await this.result;
  }
}

/** Reads one stream of frames to its `done`. */
async function read(res, heard, stream) {
  let end = null, failed = null;
  const message = (name, data) => {
    const frame = JSON.parse(data);
    if (name === 'message') return true; // a frame without a name is none of the contract's
    if (name === 'error') failed = frame.payload ?? frame;
    if (name === 'done') end = frame.payload ?? frame;
    stream.tell(frame.v ? frame : { v: '1.0', type: name, payload: frame, ts: Date.now() });
    return !end;
  };
  const reader = res.body.getReader(), decoder = new TextDecoder();
  const parser = new SseParser({ message, retry: () => {} });
  try {
    while (!end) {
      const { done, value } = await reader.read();
      if (done) break;
      heard();
      parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (failed) {
    throw new RealtimeError(failed.message ?? failed.error ?? 'the turn failed', {
      code: failed.code ?? 'AI_FAILED', status: res.status, retryable: failed.retryable ?? failed.recoverable ?? false, requestId: failed.requestId, body: failed,
    });
  }
  if (!end) throw new RealtimeError('the stream broke off', { retryable: true });
  return end;
}

/** The assistant, actions and deliverables, as one client's user. */
export class Assistant {
  #rt;

  /** @param {import('./realtime.js').Realtime} realtime @param {{turnMs?: number}} [options] turnMs: the longest turn that is waited for */
  constructor(realtime, { turnMs = 90000 } = {}) {
    this.#rt = realtime;
    this.turnMs = turnMs;
    /** Actions: what is asked for, confirmed, declined, changed. */
    this.actions = {
      execute: (sessionId, action) => this.#execute(sessionId, action),
      confirm: (sessionId, actionId, confirmationToken) => this.#do('/v1/orchestration/actions/confirm', { sessionId, actionId, confirmationToken }),
      decline: (sessionId, actionId, { decision = 'cancelled', result = 'cancelled-by-user', details } = {}) =>
        this.#post('/v1/actions/decision', { sessionId, actionId, decision, result, callTimestamp: Date.now(), details }),
      edit: (sessionId, actionId, baseVersion, payload, summary) =>
        this.#post('/v1/orchestration/actions/edit', { sessionId, actionId, baseVersion, payload, summary }),
      list: (sessionId, { limit, cursor } = {}) => this.#get(`/v1/orchestration/sessions/${e(sessionId)}/actions${query({ limit, cursor })}`),
      get: (sessionId, actionId) => this.#get(`/v1/orchestration/sessions/${e(sessionId)}/actions/${e(actionId)}`),
    };
    /** CVs, interview packs and drafts, in immutable versions. */
    this.deliverables = {
      create: (deliverable) => this.#post('/v1/deliverables', deliverable),
      list: ({ kind, sessionId, limit, cursor } = {}) => this.#get(`/v1/deliverables${query({ kind, sessionId, limit, cursor })}`),
      get: (deliverableId, version) => this.#get(`/v1/deliverables/${e(deliverableId)}${query({ version })}`),
      put: (deliverableId, baseVersion, content) => this.#post(`/v1/deliverables/${e(deliverableId)}/versions`, { baseVersion, ...content }),
      versions: (deliverableId, { limit, beforeVersion } = {}) =>
        this.#get(`/v1/deliverables/${e(deliverableId)}/versions${query({ limit, beforeVersion })}`),
      diff: (deliverableId, fromVersion, toVersion) => this.#get(`/v1/deliverables/${e(deliverableId)}/diff${query({ fromVersion, toVersion })}`),
    };
    /** Chats that were had. */
    this.conversations = {
      list: ({ limit, cursor } = {}) => this.#get(`/v1/chat/conversations${query({ limit, cursor })}`),
      get: (conversationId, { limit, afterOrdinal } = {}) => this.#get(`/v1/chat/conversations/${e(conversationId)}${query({ limit, afterOrdinal })}`),
      delete: (conversationId) => this.#rt.request('DELETE', `/v1/chat/conversations/${e(conversationId)}`, { key: id('key_') }),
    };
  }

  #get(path) { return this.#rt.request('GET', path); }
  #post(path, body, key = id('key_')) { return this.#rt.request('POST', path, { body, key }); }
  #do(path, body, key = id('key_')) { return this.#rt.request('POST', path, { body, key, timeoutMs: this.turnMs, again }); }

  /**
   * Says something in a call and waits for the whole answer; meanwhile its words come as transcript.delta events.
   * @param {string} sessionId @param {string} text
   * @param {{turnId?: string, persona?: 'antonio' | 'mariana' | 'both', whenBusy?: 'queue' | 'refuse' | 'replace',
   *          captureAtMs?: number, signal?: AbortSignal}} [options] whenBusy: while another turn of the call runs
   * @returns {Promise<object>} {sessionId, turnId, speaker, text: {content, speaker}, events, ...}
   */
  turn(sessionId, text, { signal, ...more } = {}) {
    return this.#say(`/v1/call/sessions/${e(sessionId)}/turn`, { turnId: id('turn_'), captureAtMs: Date.now(), ...more, text }, signal);
  }

  /**
   * Says something in a chat, answered when the answer is whole. @param {string} text
   * @param {object} [options] as turn()'s, and conversationId; without one a new conversation begins
   */
  chat(text, { signal, ...more } = {}) { return this.#say('/v1/chat/turn', { turnId: id('turn_'), ...more, text }, signal); }

  /** The same, while the answer arrives. @returns {ChatStream} */
  stream(text, { signal, ...more } = {}) {
    const body = { turnId: id('turn_'), ...more, text }, key = body.turnId;
    let conversationId = body.conversationId;
    const run = async (stream, leave) => {
      let tries = 0;
      stream.on('*', (f) => { conversationId ??= f.payload?.conversationId; });
      return this.#rt.request('POST', '/v1/chat/stream', {
        body, key, signal: leave, timeoutMs: SILENT_MS, again,
        take: (res, heard) => {
          if (tries++ > 0) stream.tell({ v: '1.0', type: 'restart', payload: {}, ts: Date.now() });
          return read(res, heard, stream);
        },
      });
    };
    return new ChatStream(run, () => this.stop({ conversationId, turnId: body.turnId }), { signal });
  }

  /** Stops a running turn: of a call by {sessionId}, of a chat by {conversationId, turnId}. */
  stop({ sessionId, conversationId, turnId }) {
    return sessionId ? this.#post(`/v1/call/sessions/${e(sessionId)}/turn/stop`, { turnId }) : this.#post('/v1/chat/stop', { conversationId, turnId });
  }

  /** The voice of a call; a cloned one wants userConsent and a policyApprovalId. */
  voice(sessionId, persona, { userConsent, policyApprovalId } = {}) {
    return this.#post(`/v1/call/sessions/${e(sessionId)}/voice`, { persona, userConsent, policyApprovalId });
  }

  #say(path, body, signal) {
    return this.#rt.request('POST', path, { body, key: body.turnId, signal, timeoutMs: this.turnMs, again });
  }

  /**
   * Asks for an action. What the policy wants confirmed is no error: {ok: false, blocked: true, actionId,
   * confirmationToken, expiresAt, ...}, to be shown to a human and handed to confirm().
   * @param {{actionType: string, payload?: object, actionId?: string, summary?: string, confirmationToken?: string, metadata?: object}} action
   */
  async #execute(sessionId, action) {
    try {
      return await this.#do('/v1/orchestration/actions/execute', { actionId: id('action_'), ...action, sessionId });
    } catch (error) {
      if (error.code === 'SAFETY_BLOCKED' && error.body.confirmationToken) return error.body;
      throw error;
    }
  }
}
