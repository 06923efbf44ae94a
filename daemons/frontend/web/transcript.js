// transcript.js - what was said so far: one entry an utterance, by the rule the appliance itself uses.

/**
 * @typedef {object} Utterance
 * @property {string} utteranceId
 * @property {string} speaker     user, agent or unknown
 * @property {string} text
 * @property {boolean} final      false: it is still being spoken
 * @property {number} startMs
 * @property {number} endMs
 * @property {number} sequence    of the event that tells it
 * @property {string} eventId
 * @property {string} ts
 */

/**
 * A final beats any partial; of two alike the later sequence beats the earlier. Entries stand in the order in which
 * their utterances first appeared. Events may come in any order and more than once: the result is the same.
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
    const final = event.type === 'transcript.final';
    if (!final && event.type !== 'transcript.partial') return null;
    const p = event.payload;
    if (typeof p?.utteranceId !== 'string' || !/\S/.test(p.utteranceId)) return null;
    const had = this.#entries.get(p.utteranceId);
    if (had && event.sequence < had.appeared) {
      had.appeared = event.sequence;
      this.#order = null;
    }
    const beaten = !had || (final === had.entry.final ? event.sequence > had.entry.sequence : final);
    if (!beaten) return null;
    const entry = {
      utteranceId: p.utteranceId, speaker: p.speaker, text: p.text, final, startMs: p.startMs, endMs: p.endMs,
      sequence: event.sequence, eventId: event.eventId, ts: event.ts,
    };
    if (had) had.entry = entry;
    else this.#entries.set(p.utteranceId, { appeared: event.sequence, entry });
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
