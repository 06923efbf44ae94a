// Live streams: everything committed, once, in order, from any cursor, across reconnects.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, billed, call, history, newSession, partial, replay, unique, url, userToken } from './client.mjs';
import { Listener, counted } from './sse.mjs';

test('a listener hears the past, then the present, without a seam', async () => {
  const s = await newSession();
  await append([1, 2, 3].map((n) => partial(s.id, n)));
  const l = new Listener(s.token, s.id);
  await l.ready();
  for (let n = 4; n <= 20; n++) await append(partial(s.id, n));
  await l.reached(21);
  assert.deepEqual(l.sequences, counted(21));
  assert.deepEqual(l.events.map((e) => e.id), counted(21).map(String), 'the SSE id is the sequence');
  l.close();
});

test('what a listener hears live is byte for byte what a replay tells', async () => {
  const s = await newSession();
  const l = new Listener(s.token, s.id);
  await l.ready();
  await append(partial(s.id, 1, { ts: '2026-05-06T07:08:09.123456Z' }));
  await append({ ...partial(s.id, 2), payload: { ...partial(s.id, 2).payload, text: 'tab\t quote" \u2028 🎧 é \\ /', x: [1, 2.50, true, null] } });
  await l.reached(3);
  const stored = await history(s.token, s.id);
  assert.deepEqual(l.events.map(({ id, ...e }) => JSON.stringify(e)), stored.map((e) => JSON.stringify(e)));
  l.close();
});

test('no event is lost between the end of the past and the start of the present', async () => {
  const s = await newSession();
  let n = 0, stop = false;
  const writer = (async () => { while (!stop) await append([partial(s.id, ++n), partial(s.id, ++n)]); })();
  const listeners = [];
  for (let i = 0; i < 60; i++) {
    listeners.push(new Listener(s.token, s.id));
    if (i % 10 === 9) await listeners.at(-1).ready();
  }
  await Promise.all(listeners.map((l) => l.ready()));
  stop = true;
  await writer;
  await Promise.all(listeners.map((l) => l.reached(n + 1)));
  for (const l of listeners) { assert.deepEqual(l.sequences, counted(n + 1)); l.close(); }
});

test('small and large requests to one session at once: one order, heard once', async () => {
  const s = await newSession();
  const l = new Listener(s.token, s.id);
  await l.ready();
  let n = 0;
  const many = async (size) => { for (let i = 0; i < 15; i++) assert.equal((await append(counted(size).map(() => partial(s.id, ++n)))).status, 200); };
  await Promise.all([many(1), many(100), many(1), many(40), many(3), many(100)]);
  await l.reached(n + 1);
  assert.deepEqual(l.sequences, counted(n + 1));
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.sequence), counted(n + 1));
  l.close();
});

test('an event written right after the stream said ready arrives', async () => {
  const s = await newSession();
  const l = new Listener(s.token, s.id);
  await l.ready();
  await append(partial(s.id, 1));
  await l.reached(2);
  l.close();
});

test('resume: Last-Event-ID and afterSequence continue exactly there', async () => {
  const s = await newSession();
  await append(counted(50).map((n) => partial(s.id, n)));
  const a = new Listener(s.token, s.id, { after: 30 });
  await a.reached(51);
  assert.deepEqual(a.sequences, counted(51, 31));
  a.close();
  const b = new Listener(s.token, s.id, { headers: { 'last-event-id': '46' } });
  await b.reached(51);
  assert.deepEqual(b.sequences, counted(51, 47));
  b.close();
});

test('resume with nothing missed is no reset', async () => {
  const s = await newSession();
  await append(partial(s.id, 1));
  const l = new Listener(s.token, s.id, { headers: { 'last-event-id': '2' } });
  await l.ready();
  await append(partial(s.id, 2));
  await l.reached(3);
  assert.deepEqual(l.sequences, [3]);
  assert.deepEqual(l.named.reset, []);
  l.close();
});

test('a cursor we never gave is answered with an explicit reset and everything from the start', async () => {
  const s = await newSession();
  await append(partial(s.id, 1));
  for (const [cursor, reason] of [['999', 'cursor_ahead'], ['not-a-number', 'cursor_invalid']]) {
    const l = new Listener(s.token, s.id, { headers: { 'last-event-id': cursor } });
    await l.reached(2);
    assert.equal(l.named.reset.length, 1);
    assert.equal(l.named.reset[0].reason, reason);
    assert.deepEqual(l.sequences, [1, 2]);
    l.close();
  }
  const query = await call('GET', `/v1/realtime/sessions/${s.id}/events?afterSequence=x`, { token: s.token, headers: { accept: 'text/event-stream' } });
  assert.equal(query.status, 400);
});

test('a stream\'s headers let a browser on another origin read it', async () => {
  const s = await newSession();
  const l = new Listener(s.token, s.id, { headers: { origin: 'https://app.example' } });
  await l.ready();
  assert.equal(l.lastHeaders.get('access-control-allow-origin'), '*');
  assert.match(l.lastHeaders.get('content-type'), /^text\/event-stream/);
  l.close();
});

test('a stranger gets no stream, and cannot tell why', async () => {
  const s = await newSession();
  const stranger = userToken(unique('stranger'));
  const headers = { accept: 'text/event-stream' };
  for (const id of [s.id, 'sess_none']) {
    const r = await call('GET', `/v1/realtime/sessions/${id}/events`, { token: stranger, headers });
    assert.equal(r.status, 404);
    assert.equal(r.json.code, 'SESSION_NOT_FOUND');
  }
});

test('one listener that never reads costs the others nothing', async () => {
  const s = await newSession();
  const deaf = await fetch(`${url}/v1/realtime/sessions/${s.id}/events`, { headers: { authorization: `Bearer ${s.token}`, accept: 'text/event-stream' } });
  const l = new Listener(s.token, s.id);
  await l.ready();
  const big = 'x'.repeat(4000);
  for (let i = 0; i < 20; i++)
    await append(counted(100).map((n) => ({ ...partial(s.id, n), payload: { ...partial(s.id, n).payload, text: big } })));
  await l.reached(2001, 30);
  assert.deepEqual(l.sequences, counted(2001));
  l.close();
  await deaf.body.cancel();
});

test('every kind of event reaches a listener, not only those posted', async () => {
  const s = await newSession();
  const l = new Listener(s.token, s.id);
  await l.ready();
  await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'active' } });
  await append(partial(s.id, 1));
  await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'ended' } });
  await l.reached(6);
  assert.deepEqual(l.events.map((e) => e.type), ['call.started', 'call.connected', 'transcript.partial', 'call.ended', ...billed]);
  assert.equal((await replay(s.token, s.id)).json.events.length, 6);
  l.close();
});
