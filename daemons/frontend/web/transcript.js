// transcript.js - what was said so far: one entry an utterance, by the rule the appliance itself uses.

const utf8 = new TextEncoder();

/** An answer that arrives in pieces: what is known of it, in order, whichever pieces came first or twice. */
class Pieces {
  #at = new Map(); // offset in bytes -> text
  #end = 0; // where the next piece belongs, if all so far stood one behind the other
  text = '';

  /** @returns {boolean} did it tell anything new? */
  add(offset, text) {
    if (this.#at.has(offset)) return false;
    this.#at.set(offset, text);
    if (this.#at.size === 1 || offset === this.#end) {
      this.text += text;
      this.#end = offset + utf8.encode(text).length;
    } else {
      this.text = [...this.#at].sort((a, b) => a[0] - b[0]).map((p) => p[1]).join('');
      this.#end = NaN; // from here on each is sorted in
    }
    return true;
  }
}

/**
 * @typedef {object} Utterance
 * @property {string} utteranceId
 * @property {string} speaker     user, agent or unknown
 * @property {string} text
 * @property {boolean} final      false: it is still being spoken
 * @property {boolean=} cut       of a final: it broke off, or was stopped
 * @property {number} startMs
 * @property {number} endMs
 * @property {number} sequence    of the event that tells it
 * @property {string} eventId
 * @property {string} ts
 */

/**
 * A final beats any partial; of two alike the later sequence beats the earlier. The assistant's answer comes as deltas,
 * which add up until its final; who joined late has what came since. Entries stand in the order in which their utterances
 * first appeared. Events may come in any order and more than once: the result is the same.
 */
export class Transcript {
  #entries = new Map();
  #order = null; // made when asked for

  /** @param {{limit?: number}} [options] limit: utterances kept, the newest ones (default 5000) */
  constructor({ limit = 5000 } = {}) { this.limit = limit; }

  /**
   * @param {object} event a stored event of any type
   * @returns {Utterance | null} the entry it changed, or null
   */
  add(event) {
    const final = event.type === 'transcript.final', delta = event.type === 'transcript.delta';
    if (!final && !delta && event.type !== 'transcript.partial') return null;
    const p = event.payload;
    if (typeof p?.utteranceId !== 'string' || !/\S/.test(p.utteranceId)) return null;
    const had = this.#entries.get(p.utteranceId);
    if (had && event.sequence < had.appeared) {
      had.appeared = event.sequence;
      this.#order = null;
    }
    const newer = !had || event.sequence > had.entry.sequence;
    let pieces;
    if (delta) {
      pieces = had?.pieces ?? new Pieces();
      if (had?.entry.final || !pieces.add(p.offset ?? 0, p.text ?? '')) return null;
    } else if (had && (final === had.entry.final ? !newer : !final)) {
      return null;
    }
    const { sequence, eventId, ts } = delta && !newer ? had.entry : event;
    const entry = {
      utteranceId: p.utteranceId, speaker: p.speaker, text: delta ? pieces.text : p.text, final,
      startMs: p.startMs ?? 0, endMs: p.endMs ?? 0, sequence, eventId, ts, ...(p.cut === true && { cut: true }),
    };
    if (had) Object.assign(had, { entry, pieces });
    else this.#entries.set(p.utteranceId, { appeared: event.sequence, entry, pieces });
    this.#order = null;
    this.#bound();
    return entry;
  }

  /** Starts from the transcriptState of a JSON replay; events added later supersede it. @param {object[]} state */
  seed(state) {
    this.clear();
    state.forEach((s, i) => {
      this.add({ ...s, payload: s.payload ?? s });
      const had = this.#entries.get(s.utteranceId);
      if (had) had.appeared = i - state.length;
    });
    this.#order = null;
  }

  /** @returns {Utterance[]} in the order of appearance */
  list() {
    this.#order ??= [...this.#entries.values()].sort((a, b) => a.appeared - b.appeared).map((e) => e.entry);
    return this.#order;
  }

  /** @param {string} utteranceId @returns {Utterance | undefined} */
  get(utteranceId) { return this.#entries.get(utteranceId)?.entry; }

  get size() { return this.#entries.size; }

  clear() {
    this.#entries.clear();
    this.#order = null;
  }

  #bound() {
    if (this.#entries.size <= this.limit) return;
    const first = this.list()[0];
    this.#entries.delete(first.utteranceId);
    this.#order = null;
  }
}
