// pace.js - how long to wait before trying again, naps that can be cut short, and what a refusal means.

/** A refusal of the appliance, or a failure on the way to it. */
export class RealtimeError extends Error {
  /**
   * @param {string} message
   * @param {{code?: string, status?: number, retryable?: boolean, retryAfter?: number, requestId?: string, body?: object}} [more]
   */
  constructor(message, { code = 'UNREACHABLE', status = 0, retryable = false, retryAfter = 0, requestId, body = {} } = {}) {
    super(message);
    this.name = 'RealtimeError';
    /** The appliance's code (SESSION_NOT_FOUND, ...), or UNREACHABLE. */
    this.code = code;
    /** The HTTP status; 0 if there was none. */
    this.status = status;
    this.retryable = retryable;
    /** Seconds the appliance asked to wait. */
    this.retryAfter = retryAfter;
    /** What the operator finds in the journal. */
    this.requestId = requestId;
    /** All the appliance said: some refusals bring what to do next, a confirmation token for one. */
    this.body = body;
  }
}

/** Reads the one error shape out of a response. @param {Response} res */
export async function refusal(res) {
  let body = {};
  try { body = await res.json(); } catch { /* a proxy's page, or nothing */ }
  const after = Number(res.headers.get('retry-after'));
  const again = [408, 425, 429, 500, 502, 503, 504].includes(res.status);
  return new RealtimeError(body.message ?? `HTTP ${res.status}`, {
    code: body.code ?? `HTTP_${res.status}`, status: res.status, requestId: body.requestId, body,
    retryable: body.retryable ?? again, retryAfter: after > 0 ? after : 0,
  });
}

/** Jittered exponential backoff: the first wait is anywhere up to `min`, the later ones double up to `max`. */
export class Pace {
  constructor({ min = 500, max = 15000 } = {}) {
    this.min = min;
    this.max = max;
    this.tries = 0;
  }

  /** The next wait in milliseconds, not shorter than the seconds the appliance asked for. */
  next(retryAfter = 0) {
    const dice = Math.random();
    const own = this.tries === 0 ? dice * this.min
      : Math.min(this.max, this.min * 2 ** Math.min(this.tries, 20)) * (0.5 + dice / 2);
    this.tries++;
    return Math.max(own, Math.min(retryAfter, 300) * 1000 * (1 + dice / 5));
  }

  /** It went well: the next failure starts from the beginning. */
  ok() { this.tries = 0; }
}

/** A wait that others can end early. */
export class Nap {
  #end = null;

  /** @param {number} ms */
  sleep(ms) {
    this.wake();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), ms);
      this.#end = () => { clearTimeout(timer); resolve(); };
    });
  }

  wake() {
    const end = this.#end;
    this.#end = null;
    end?.();
  }
}
