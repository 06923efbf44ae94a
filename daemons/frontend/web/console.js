// console.js - the live page /console: an application of realtime.js, and its example.
import { AssistantPanel } from './console_assistant.js';
import { Realtime, Transcript } from './realtime.js';

const EVENTS_SHOWN = 200;
const LIFE = [
  ['created', 'created', ['call.started']], ['connecting', 'connecting', ['call.connecting']],
  ['active', 'connected', ['call.connected']], ['reconnecting', 'reconnecting', ['call.reconnecting']],
  ['ended', 'ended', ['call.ended']], ['failed', 'failed', ['call.error', 'call.terminal_failure']],
];
const WORDS = { idle: 'ready', connecting: 'connecting', live: 'live', waiting: 'waiting to reconnect', failed: 'stopped', closed: 'signed out' };

const $ = (id) => document.getElementById(id);
const element = (tag, props = {}, data = {}) => {
  const e = Object.assign(document.createElement(tag), props);
  Object.assign(e.dataset, data);
  return e;
};

let rt = null, panel = null, session = null, listing = null, drawing = null;
let transcript = new Transcript();
let changed = new Set(), life = new Map(), delays = [], log = [];
const lines = new Map(); // utterance id -> its li

// ---- signing in ----

$('form').addEventListener('submit', async (e) => {
  e.preventDefault();
  const token = $('token').value.trim();
  const transport = new FormData($('form')).get('transport') ?? document.querySelector('[name=transport]:checked').value;
  $('refused').hidden = true;
  rt = new Realtime({ token, transport, onState: showState, onError: (error) => console.warn(error) });
  try {
    await list();
  } catch (error) {
    // A service key may follow sessions, not list them.
    if (error.status !== 403) {
      rt.close();
      rt = null;
      $('refused').textContent = error.message;
      $('refused').hidden = false;
      $('token').focus();
      return;
    }
  }
  $('token').value = '';
  $('door').hidden = true;
  $('room').hidden = $('leave').hidden = false;
  showState(rt.state);
  panel = new AssistantPanel(rt);
  const wanted = new URLSearchParams(location.hash.slice(1)).get('session');
  if (wanted) follow(wanted);
  listing = setInterval(() => { if (!document.hidden) list().catch(() => {}); }, 15000);
});

$('enter').disabled = false; // until here Enter would have done nothing

$('leave').addEventListener('click', () => {
  clearInterval(listing);
  panel.close();
  rt.close();
  rt = panel = session = null;
  clear();
  $('sessions').replaceChildren();
  $('title').textContent = 'Choose a session';
  $('room').hidden = $('leave').hidden = true;
  $('door').hidden = false;
  showState({ state: 'closed' });
  $('token').focus();
});

function showState({ state, error }) {
  $('state').dataset.state = state;
  $('state-text').textContent = state === 'failed' && error ? `stopped: ${error.message}` : WORDS[state] ?? state;
  draw();
}

// ---- the sessions ----

$('again').addEventListener('click', () => list().catch((error) => showState({ state: 'failed', error })));
$('by-id').addEventListener('submit', (e) => {
  e.preventDefault();
  const id = $('id').value.trim();
  if (id) follow(id);
  $('id').value = '';
});

async function list() {
  const { sessions } = await rt.request('GET', '/v1/call/sessions?limit=50');
  $('none').hidden = sessions.length > 0;
  $('sessions').replaceChildren(...sessions.map((s) => {
    const button = element('button', { type: 'button' }, { session: s.sessionId });
    button.append(
      element('span', { className: 'name', textContent: s.sessionId, title: s.sessionId }),
      element('span', { className: 'badge', textContent: s.status }, { status: s.status }),
      element('time', { textContent: new Date(s.createdAtMs ?? s.createdAt).toLocaleString() }),
    );
    button.addEventListener('click', () => follow(s.sessionId));
    const li = document.createElement('li');
    li.append(button);
    return li;
  }));
  mark();
}

function mark() {
  for (const b of $('sessions').querySelectorAll('button')) b.setAttribute('aria-current', String(b.dataset.session === session?.id));
}

// ---- one session ----

function clear() {
  transcript = new Transcript();
  changed = new Set();
  life = new Map();
  delays = [];
  log = [];
  lines.clear();
  $('transcript').replaceChildren();
  $('events').replaceChildren();
  draw();
}

function follow(id) {
  if (session?.id === id && session.state !== 'failed') return;
  session?.close();
  clear();
  history.replaceState(null, '', `#session=${encodeURIComponent(id)}`);
  const s = session = rt.session(id, { after: 0 });
  let head = Infinity;
  $('title').textContent = id;
  $('sub').textContent = '';
  mark();
  panel.follow(id);
  s.on('open', (info) => {
    if (head === Infinity) head = info.latestSequence;
    if (info.status) $('sub').textContent = info.status;
    draw();
  });
  s.on('event', (e) => {
    if (e.sequence > head) delays.push(Date.now() - Date.parse(e.recordedAt));
    if (delays.length > 50) delays.shift();
    for (const [name, , types] of LIFE) if (types.includes(e.type)) life.set(name, e);
    const entry = transcript.add(e);
    if (entry) changed.add(entry.utteranceId);
    panel.event(e);
    if (entry?.final && e.sequence > head) $('said').textContent = `${entry.speaker}: ${entry.text}`;
    log.push(e);
    if (log.length > EVENTS_SHOWN) log.shift();
    draw();
  });
  s.on('reset', () => { clear(); panel.follow(id); });
  s.on('state', draw);
  s.on('error', draw);
}

// ---- drawing: often asked for, done a few times a second ----

function draw() {
  drawing ??= setTimeout(() => { drawing = null; paint(); }, 30);
}

function paint() {
  const stats = rt?.stats ?? {};
  $('transport').textContent = { websocket: 'WebSocket', sse: 'SSE' }[session?.transport] ?? '–';
  const sorted = [...delays].sort((a, b) => a - b);
  $('delay').textContent = sorted.length ? `${Math.max(0, Math.round(sorted[sorted.length >> 1]))} ms` : '–';
  $('sequence').textContent = session ? `${session.sequence} / ${Math.max(session.latestSequence, session.sequence)}` : '–';
  $('ping').textContent = stats.rttMs === null || stats.rttMs === undefined ? '–' : `${stats.rttMs} ms`;
  for (const name of ['reconnects', 'gaps', 'duplicates', 'resets']) {
    $(name).textContent = stats[name] ?? 0;
    $(name).dataset.alert = String(name !== 'reconnects' && stats[name] > 0);
  }
  paintTranscript();
  paintLife();
  paintEvents();
}

function paintTranscript() {
  if (changed.size === 0) return;
  const box = $('transcript');
  const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  let before = null;
  for (const u of transcript.list()) {
    let li = lines.get(u.utteranceId);
    if (!li) {
      li = element('li', {}, { utterance: u.utteranceId });
      li.append(element('span', { className: 'who' }), element('span', { className: 'text' }));
      lines.set(u.utteranceId, li);
    }
    if (before ? before.nextSibling !== li : box.firstChild !== li) box.insertBefore(li, before ? before.nextSibling : box.firstChild);
    before = li;
    if (!changed.has(u.utteranceId)) continue;
    li.dataset.speaker = u.speaker;
    li.dataset.final = String(u.final);
    li.dataset.cut = String(u.cut === true);
    li.firstChild.textContent = u.speaker;
    li.lastChild.textContent = u.text;
  }
  changed.clear();
  if (follows) box.scrollTop = box.scrollHeight;
}

function paintLife() {
  $('life').hidden = !session;
  $('life').replaceChildren(...LIFE.filter(([name]) => life.has(name) || !['failed', 'reconnecting', 'connecting'].includes(name)).map(([name, word]) => {
    const e = life.get(name);
    return element('li', { textContent: word, title: e ? `${e.type}, ${e.ts}` : 'not yet' }, { done: String(Boolean(e)), bad: String(name === 'failed') });
  }));
}

let painted = 0;
function paintEvents() {
  const box = $('events');
  if (log.length === 0) painted = 0;
  for (const e of log) {
    if (e.sequence <= painted) continue;
    painted = e.sequence;
    const li = document.createElement('li');
    li.append(element('span', { textContent: e.sequence }), element('b', { textContent: e.type }), element('time', { textContent: e.ts }));
    box.prepend(li);
  }
  while (box.childElementCount > EVENTS_SHOWN) box.lastChild.remove();
}
