// console_assistant.js - the console's panel of the assistant: ask, see what it wants done, say yes or no, read its work.
import { Assistant } from './assistant.js';

const OPEN = ['requested', 'proposed', 'requires_confirmation', 'confirmed'];
const WORDS = {
  requested: 'asked for', proposed: 'proposed', requires_confirmation: 'waits for you', confirmed: 'confirmed', executed: 'done', failed: 'failed',
  declined: 'declined', expired: 'expired', blocked: 'not allowed',
};
const SHOWN = 50;

const $ = (id) => document.getElementById(id);
const element = (tag, props = {}, data = {}, ...children) => {
  const e = Object.assign(document.createElement(tag), props);
  Object.assign(e.dataset, data);
  e.append(...children);
  return e;
};

/** One signed-in client's panel; follow() moves it from session to session. */
export class AssistantPanel {
  #ai; #session = null; #asking = null; #actions = new Map(); #undo = []; #clock = null; #shown = null; #paper = null;

  /** @param {import('./realtime.js').Realtime} rt */
  constructor(rt) {
    this.#ai = new Assistant(rt);
    this.#listen($('ask'), 'submit', (e) => { e.preventDefault(); this.#ask(); });
    this.#listen($('stop'), 'click', () => this.#ai.stop({ sessionId: this.#session }).catch((error) => this.#say(error.message)));
    this.#listen($('confirm-yes'), 'click', () => this.#decide(true));
    this.#listen($('confirm-no'), 'click', () => this.#decide(false));
    this.#listen($('confirm'), 'close', () => this.#shut());
    this.#listen($('papers'), 'toggle', () => { if ($('papers').open) this.#papers(); });
    this.#listen($('paper-version'), 'change', () => this.#read());
    this.#listen($('paper-with'), 'change', () => this.#read());
  }

  #listen(target, name, fn) {
    target.addEventListener(name, fn);
    this.#undo.push(() => target.removeEventListener(name, fn));
  }

  /** @param {string | null} sessionId */
  follow(sessionId) {
    this.#session = sessionId;
    this.#asking = null;
    this.#actions.clear();
    this.#paper = null;
    $('ask').hidden = !sessionId;
    $('stop').hidden = true;
    $('send').disabled = false;
    $('paper').hidden = true;
    $('papers-list').replaceChildren();
    this.#say('');
    if ($('confirm').open) $('confirm').close();
    if (sessionId && $('papers').open) this.#papers();
    this.#paint();
  }

  close() {
    this.follow(null);
    for (const undo of this.#undo) undo();
  }

  #say(text) { $('answering').textContent = text; }

  // ---- asking ----

  async #ask() {
    const text = $('words').value.trim(), session = this.#session;
    if (!text || this.#asking) return;
    const asking = this.#asking = this.#ai.turn(session, text, { whenBusy: 'queue' });
    $('send').disabled = true;
    $('stop').hidden = false;
    $('words').value = '';
    this.#say('The assistant is thinking …');
    let said = '';
    try {
      const answer = await asking;
      if (answer.incomplete) said = 'The answer was cut at its longest.';
    } catch (error) {
      said = error.code === 'TURN_CANCELLED' ? 'Stopped.' : `${error.message}${error.requestId ? ` (${error.requestId})` : ''}`;
      if (error.retryable && this.#session === session && !$('words').value) $('words').value = text;
    }
    if (this.#asking !== asking) return; // another session is shown by now
    this.#asking = null;
    $('send').disabled = false;
    $('stop').hidden = true;
    this.#say(said);
    $('words').focus();
  }

  // ---- what it wants done ----

  /** @param {object} e an event of the followed session */
  event(e) {
    const p = e.payload;
    if (e.type === 'transcript.delta' && this.#asking) this.#say('The assistant is speaking …');
    if (typeof p?.actionId !== 'string') return;
    const a = this.#actions.get(p.actionId) ?? { id: p.actionId, type: '', summary: '', state: 'requested' };
    if (e.type === 'action.proposed' || e.type === 'orchestration.action.requested') {
      if (p.actionType.startsWith('mode.')) return;
      Object.assign(a, { type: p.actionType, summary: p.summary, state: e.type === 'action.proposed' && !p.deliverable ? 'proposed' : p.deliverable ? 'executed' : a.state });
    } else if (e.type === 'action.requires_confirmation') {
      Object.assign(a, { state: 'requires_confirmation', token: p.confirmationToken, message: p.uiEvent?.payload?.message ?? p.reason, risk: p.uiEvent?.payload?.riskTier });
    } else if (e.type === 'safety.approved' && a.state === 'requires_confirmation') a.state = 'confirmed';
    else if (e.type === 'action.executed') a.state = 'executed';
    else if (e.type === 'action.failed') Object.assign(a, { state: /DECLINED/.test(p.code) ? 'declined' : /EXPIRED/.test(p.code) ? 'expired' : 'failed', note: p.message });
    else if (e.type === 'safety.blocked' && p.reason !== 'explicit_user_confirmation_required') Object.assign(a, { state: 'blocked', note: p.reason });
    else return;
    if (!a.type && !a.token) return; // a decision about something else: a voice
    this.#actions.delete(a.id);
    this.#actions.set(a.id, a);
    if (this.#actions.size > SHOWN) this.#actions.delete(this.#actions.keys().next().value);
    if (a.state === 'executed' && $('papers').open) this.#papers();
    this.#paint();
  }

  #paint() {
    const open = [...this.#actions.values()].filter((a) => OPEN.includes(a.state)), done = [...this.#actions.values()].filter((a) => !OPEN.includes(a.state));
    $('actions').replaceChildren(...[...open, ...done.slice(-3)].reverse().map((a) => {
      const li = element('li', {}, { action: a.id, state: a.state },
        element('span', { className: 'badge', textContent: WORDS[a.state] ?? a.state }),
        element('b', { textContent: a.type || 'confirmation' }),
        element('span', { className: 'faint', textContent: [a.note, a.message, a.summary].find((t) => t && t !== a.type) ?? '' }));
      if (a.state === 'requires_confirmation') {
        const look = element('button', { type: 'button', className: 'quiet', textContent: 'Look at it' });
        look.addEventListener('click', () => this.#show(a));
        li.append(look);
      }
      return li;
    }));
  }

  /** Shows exactly what would be done, as it stands now. */
  async #show(a) {
    this.#shown = { ...a, session: this.#session, until: 0 };
    $('confirm-what').textContent = a.type || 'Do you agree?';
    $('confirm-message').textContent = a.message && a.message !== a.type ? a.message : '';
    $('confirm-arguments').textContent = 'reading …';
    $('confirm-left').textContent = $('confirm-refused').textContent = '';
    $('confirm-yes').disabled = true; // nothing is confirmed unseen
    $('confirm').showModal();
    try {
      const { action } = await this.#ai.actions.get(this.#session, a.id);
      if (this.#shown?.id !== a.id) return;
      $('confirm-what').textContent = `${action.actionType} (${action.riskTier})`;
      $('confirm-arguments').textContent = JSON.stringify(action.arguments, null, 2);
      this.#shown.until = action.confirmation?.expiresAtMs ?? 0;
      if (action.status !== 'requires_confirmation') {
        $('confirm-refused').textContent = `This is ${WORDS[action.status] ?? action.status}.`;
        a.state = action.status;
        this.#paint();
        return;
      }
      $('confirm-yes').disabled = false;
      this.#tick();
      this.#clock = setInterval(() => this.#tick(), 500);
      $('confirm-no').focus();
    } catch (error) {
      $('confirm-refused').textContent = error.message;
    }
  }

  #tick() {
    const left = Math.ceil((this.#shown.until - Date.now()) / 1000);
    $('confirm-left').textContent = left > 0 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')} left to decide` : 'The time to decide has passed.';
    if (left <= 0) $('confirm-yes').disabled = true;
  }

  async #decide(yes) {
    const a = this.#shown;
    $('confirm-yes').disabled = $('confirm-no').disabled = true;
    try {
      if (yes) await this.#ai.actions.confirm(a.session, a.id, a.token);
      else await this.#ai.actions.decline(a.session, a.id);
      const mine = this.#actions.get(a.id);
      if (mine && OPEN.includes(mine.state)) mine.state = yes ? 'executed' : 'declined';
      $('confirm').close();
      this.#paint();
    } catch (error) {
      $('confirm-refused').textContent = error.message;
    } finally {
      $('confirm-no').disabled = false;
    }
  }

  #shut() {
    clearInterval(this.#clock);
    this.#shown = null;
  }

  // ---- deliverables ----

  async #papers() {
    const session = this.#session;
    try {
      const { deliverables } = await this.#ai.deliverables.list({ limit: 50 });
      if (session !== this.#session) return;
      $('papers-list').replaceChildren(...deliverables.map((d) => {
        const button = element('button', { type: 'button', className: 'quiet' }, { deliverable: d.deliverableId },
          element('span', { className: 'badge', textContent: d.kind }), ` ${d.version?.title || d.deliverableId} `,
          element('span', { className: 'faint', textContent: `version ${d.latestVersion}` }));
        button.addEventListener('click', () => this.#take(d));
        return element('li', {}, {}, button);
      }));
      if (deliverables.length === 0) $('papers-list').append(element('li', { className: 'faint', textContent: 'None yet.' }));
    } catch (error) {
      $('papers-list').replaceChildren(element('li', { className: 'faint', textContent: error.message }));
    }
  }

  async #take(d) {
    this.#paper = d.deliverableId;
    const { versions } = await this.#ai.deliverables.versions(d.deliverableId, { limit: 100 });
    if (this.#paper !== d.deliverableId) return;
    const option = (v) => element('option', { value: v.version, textContent: `${v.version}, ${v.author?.kind ?? ''}` });
    $('paper-version').replaceChildren(...versions.map(option));
    $('paper-with').replaceChildren(element('option', { value: '', textContent: 'nothing' }), ...versions.map(option));
    $('paper-title').textContent = d.version?.title || d.deliverableId;
    $('paper').hidden = false;
    await this.#read();
  }

  async #read() {
    const id = this.#paper, version = $('paper-version').value, other = $('paper-with').value, box = $('paper-text');
    try {
      const [now, diff] = await Promise.all([this.#ai.deliverables.get(id, version), other && this.#ai.deliverables.diff(id, other, version)]);
      const lines = diff ? differing(now, diff) : whole(now);
      if (id !== this.#paper) return;
      box.replaceChildren(...lines.map(([sign, text]) => element('span', { textContent: `${other ? `${sign} ` : ''}${text}\n` }, { sign })));
    } catch (error) {
      box.textContent = error.message;
    }
  }
}

/** @returns {[string, string][]} */
const whole = ({ markdown, data }) => (markdown || JSON.stringify(data, null, 2) || '').split('\n').map((text) => [' ', text]);

/** The newer text's lines, and among them what became of the older one's. @returns {[string, string][]} */
function differing({ markdown }, { hunks }) {
  const text = (markdown ?? '').split('\n'), out = [];
  let at = 0;
  for (const h of hunks) {
    while (at < h.toLine - 1) out.push([' ', text[at++]]);
    out.push(...h.removed.map((line) => ['-', line]), ...h.added.map((line) => ['+', line]));
    at += h.added.length;
  }
  return [...out, ...text.slice(at).map((line) => [' ', line])];
}
