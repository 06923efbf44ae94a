// The JavaScript client as its users have it, on the real appliance, over both transports: 1..n, whatever dies.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Realtime, Transcript } from '../../daemons/frontend/web/realtime.js';
import { append, call, history, kill, newSession, partial, persistent, replay, unique, until, url } from './client.mjs';
import { Proxy } from './proxy.mjs';
import { counted } from './sse.mjs';
import { WebSocketClient } from './websocket.mjs';

const open = [];
afterEach(() => { for (const x of open.splice(0)) x.close(); });

const utterance = (sessionId, n) => {
  const final = n % 3 === 0;
  return {
    sessionId, eventId: unique('evt'), type: final ? 'transcript.final' : 'transcript.partial',
    payload: { utteranceId: `utt-${Math.ceil(n / 3) + (n % 7 === 0)}`, speaker: n % 2 ? 'user' : 'agent', text: `word ${n}`, startMs: n, endMs: n + 1 },
  };
};

/** A client of a session of its own, behind a line that can be cut. */
async function scene(transport, options = {}) {
  const s = await newSession();
  const proxy = await Proxy.to(url);
  const rt = new Realtime({ url: proxy.url, token: () => s.token, transport, WebSocket: WebSocketClient, backoff: { min: 50, max: 1000 }, storage: null, ...options });
  open.push(rt, proxy);
  const f = rt.session(s.id);
  const events = [], transcript = new Transcript();
  f.on('event', (e) => { events.push(e); transcript.add(e); });
  return { ...s, proxy, rt, f, events, transcript, reached: (n) => until(`event ${n} (have ${events.at(-1)?.sequence})`, () => events.at(-1)?.sequence >= n, 60) };
}

/** What the page shows is what is stored. */
async function same({ token, id, events, transcript }) {
  const stored = await history(token, id);
  assert.deepEqual(events.map((e) => e.sequence), counted(stored.length));
  assert.deepEqual(events.map((e) => JSON.stringify(e)), stored.map((e) => JSON.stringify(e)));
  const { json } = await replay(token, id, '?limit=1');
  assert.deepEqual(
    transcript.list().map((u) => [u.utteranceId, u.speaker, u.text, u.sequence, u.eventId]),
    json.transcriptState.map((u) => [u.utteranceId, u.speaker, u.text, u.sequence, u.eventId]),
  );
  assert.ok(transcript.size > 3);
}

for (const transport of ['sse', 'websocket']) {
  test(`${transport}: past and present, byte for byte as stored; the transcript is the replay's`, async () => {
    const s = await newSession();
    await append(counted(40).map((n) => utterance(s.id, n)));
    const rt = new Realtime({ url, token: s.token, transport, WebSocket: WebSocketClient });
    open.push(rt);
    const events = [], transcript = new Transcript();
    const f = rt.session(s.id);
    f.on('event', (e) => { events.push(e); transcript.add(e); });
    const opened = await new Promise((resolve) => { f.on('open', resolve); });
    assert.equal(opened.latestSequence, 41);
    if (transport === 'sse') assert.equal(opened.heartbeatSeconds, 15, 'a socket says it in its ready');
    for (let n = 41; n <= 90; n++) await append(utterance(s.id, n));
    await until('91 events', () => events.length === 91);
    await same({ ...s, events, transcript });
    assert.deepEqual([rt.stats.gaps, rt.stats.duplicates, rt.stats.resets, rt.stats.reconnects], [0, 0, 0, 0]);
    assert.equal(rt.state.state, 'live');
    assert.equal(f.transport, transport);
  });

  test(`${transport}: the line is cut, falls silent and is away while events flow: 1..n, once`, async () => {
    const c = await scene(transport);
    await until('the first line', () => c.f.state === 'live');
    for (let n = 1; n <= 120; n++) {
      await append(utterance(c.id, n));
      if (n % 10 === 0 && n !== 80 && n !== 90) await c.reached(n - 5); // a line stands
      if (n % 20 === 0 && n !== 80) c.proxy.cut();
      if (n === 50) { c.proxy.silence(); c.rt.wake(); }
      if (n === 70) c.proxy.away();
      if (n === 90) c.proxy.back();
    }
    await c.reached(121);
    await same(c);
    assert.equal(c.rt.stats.gaps, 0);
    assert.ok(c.rt.stats.reconnects >= 6, `${c.rt.stats.reconnects} reconnects`);
  });

  test(`${transport}: frontends and writer are killed while events flow: 1..n, once`, async () => {
    const c = await scene(transport);
    await until('the first line', () => c.f.state === 'live');
    const victims = ['frontend@1', 'writer', 'frontend@2', 'writer', 'frontend@1'];
    for (let n = 1; n <= 100; n++) {
      const body = utterance(c.id, n);
      const r = await persistent('POST', '/v1/realtime/events', { token: c.token, body });
      assert.equal(r.status, 200);
      if (n % 20 === 10) kill(victims[(n - 10) / 20]);
    }
    await c.reached(101);
    await same(c);
  });

  test(`${transport}: many sessions of one client, each whole`, async () => {
    const first = await newSession();
    const rt = new Realtime({ url, token: first.token, transport, WebSocket: WebSocketClient });
    open.push(rt);
    const ids = [first.id];
    for (let i = 0; i < 11; i++) ids.push((await call('POST', '/v1/call/sessions', { token: first.token, body: {} })).json.session.sessionId);
    const heard = new Map(ids.map((id) => [id, []]));
    for (const id of ids) rt.session(id).on('event', (e) => heard.get(id).push(e.sequence));
    for (let n = 1; n <= 10; n++) await append(ids.map((id) => partial(id, n)));
    await until('all', () => ids.every((id) => heard.get(id).at(-1) === 11));
    for (const id of ids) assert.deepEqual(heard.get(id), counted(11));
  });

  test(`${transport}: a stranger's session fails with SESSION_NOT_FOUND; one's own goes on`, async () => {
    const mine = await newSession();
    const other = await newSession();
    const rt = new Realtime({ url, token: mine.token, transport, WebSocket: WebSocketClient });
    open.push(rt);
    const f = rt.session(other.id);
    f.on('event', () => assert.fail('heard a stranger'));
    assert.equal((await new Promise((resolve) => { f.on('error', resolve); })).code, 'SESSION_NOT_FOUND');
    for await (const e of rt.session(mine.id)) { assert.equal(e.sequence, 1); break; }
  });

  test(`${transport}: a token that the appliance refuses is replaced by the application's next`, async () => {
    const s = await newSession();
    const asked = [];
    const rt = new Realtime({ url, transport, WebSocket: WebSocketClient, token: (reason) => { asked.push(reason); return asked.length === 1 ? 'eyJ.not.mine' : s.token; } });
    open.push(rt);
    for await (const e of rt.session(s.id)) { assert.equal(e.type, 'call.started'); break; }
    assert.deepEqual(asked, ['first', 'refused']);
    assert.equal(rt.stats.refreshes, 1);
  });

  test(`${transport}: a consumer that comes back goes on where it acknowledged`, async () => {
    const s = await newSession();
    await append(counted(20).map((n) => partial(s.id, n)));
    const client = () => {
      const rt = new Realtime({ url, token: s.token, transport, WebSocket: WebSocketClient });
      open.push(rt);
      return rt;
    };
    const one = client(), first = one.session(s.id, { consumerId: 'web' });
    for await (const e of first) if (e.sequence === 12) break;
    await until('the acknowledgement', () => first.ackedSequence === 12);
    one.close();
    const heard = [];
    for await (const e of client().session(s.id, { consumerId: 'web' })) {
      heard.push(e.sequence);
      if (e.sequence === 21) break;
    }
    assert.deepEqual(heard, counted(21, 13));
  });

  test(`${transport}: a session is resumed with its token, the next token is remembered, and the call goes on`, async () => {
    const s = await newSession();
    const kept = new Map();
    const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
    const rt = new Realtime({ url, token: s.token, transport, WebSocket: WebSocketClient, storage });
    open.push(rt);
    const f = rt.session(s.id, { resumeToken: s.session.resumeToken });
    await new Promise((resolve) => { f.on('event', resolve); });
    await until('the next token', () => kept.size === 1);
    const next = kept.get(`lifeos.resume.${s.id}`);
    assert.notEqual(next, s.session.resumeToken);
    const { session } = await rt.resume(s.id);
    assert.equal(session.sessionId, s.id);
    assert.notEqual(kept.get(`lifeos.resume.${s.id}`), next, 'it changes hands each time');
    await assert.rejects(rt.resume(s.id, s.session.resumeToken), (e) => e.code === 'INVALID_RESUME_TOKEN' && e.status === 403);
  });
}

test('the modules a browser imports are the ones that are tested, and every origin may', async () => {
  const { readFile, readdir } = await import('node:fs/promises');
  const folder = new URL('../../daemons/frontend/web/', import.meta.url);
  const names = (await readdir(folder)).filter((n) => n.endsWith('.js'));
  assert.ok(names.includes('realtime.js'));
  for (const name of names) {
    const r = await call('GET', `/client/${name}`, { headers: { origin: 'https://app.example' } });
    assert.equal(r.text, await readFile(new URL(name, folder), 'utf8'));
    assert.equal(r.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(r.headers.get('access-control-allow-origin'), '*');
    const again = await call('GET', `/client/${name}`, { headers: { 'if-none-match': r.headers.get('etag') } });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
  }
  const head = await call('HEAD', '/console');
  assert.equal(head.status, 200);
  assert.match(head.headers.get('content-security-policy'), /default-src 'none'/);
});

test('a service key follows a session it may see, with ids it may not list', async () => {
  const s = await newSession();
  const rt = new Realtime({ url, token: process.env.LIFEOS_INGEST_TOKEN, transport: 'sse' });
  open.push(rt);
  for await (const e of rt.session(s.id)) { assert.equal(e.type, 'call.started'); break; }
  await assert.rejects(rt.request('GET', '/v1/call/sessions'), (e) => e.status === 403);
});
