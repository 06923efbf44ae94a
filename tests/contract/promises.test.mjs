// Ten faults that systems like this one had, each as a promise (tests/mutate shows that each can fail). Here: what is said
// of cursors. T6 and T8 are in promises_rights.test.mjs, T9 and T10 beside the other faults.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, call, history, ingestToken, newSession, partial, persistent, replay, until } from './client.mjs';
import { known, subscribed, ways } from './follow.mjs';
import { Listener, counted } from './sse.mjs';
import { SseClient, Stream, WsClient } from '../faults/storm_clients.mjs';

// LIFEOS_STORM: 1 is the full size. LIFEOS_LONG: how many events a long session has.
const size = Number(process.env.LIFEOS_STORM ?? 0.2), long = Number(process.env.LIFEOS_LONG ?? 50000);
const crowd = Math.round(500 * size), patience = 30 + 120 * size;

/* ---- T1 ---- */

/** A publisher of small and large requests and changes of state: listeners are told of them in different ways. */
async function publish(s, stopped) {
  const send = (n) => persistent('POST', '/v1/realtime/events', { token: ingestToken, body: counted(n).map((k) => partial(s.id, k)) });
  for (let i = 0; !stopped(); i++) {
    const r = i % 8 === 7 ? await send(400) : await send(1 + i % 3);
    assert.equal(r.status, 200, r.text);
    if (i === 5) assert.equal((await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'active' } })).status, 200);
  }
}

test(`T1 no event is lost between the end of the past and the start of the present: ${crowd} streams and ${crowd} sockets attach while events are written`, async (t) => {
  const streams = [], clients = [];
  let stop = false;
  t.after(() => { stop = true; clients.forEach((c) => c.stop()); });
  for (let i = 0; i < Math.max(4, 20 * size); i++) {
    const s = await newSession();
    streams.push(new Stream(s.id, s.token));
  }
  const writers = streams.map((s) => publish(s, () => stop));
  const heard = () => streams.map((s) => s.at.size);
  for (let i = 0; i < crowd; i++) {
    const s = streams[i % streams.length];
    clients.push(new SseClient(s, Math.random), new WsClient([s], Math.random));
    if (i % 10 !== 9) continue;
    const before = heard();
    await until('events between those who come', () => heard().some((n, k) => n > before[k]) && clients.every((c) => c.ready()), patience);
  }
  stop = true;
  await Promise.all(writers);
  const heads = new Map();
  for (const s of streams) heads.set(s.id, (s.stored = await history(s.token, s.id)).length);
  await until('all at the head', () => clients.every((c) => c.wrong.length || c.reached(heads)), patience);
  assert.deepEqual(clients.flatMap((c) => c.wrong), [], 'no gap, nothing twice, nothing out of order');
  for (const s of streams) assert.deepEqual([...s.at], s.stored.map((e) => [e.sequence, e.eventId]), 'what was heard is what is stored');
});

/* ---- T2 ---- */

test(`T2 who comes back five events before the end of ${long} gets exactly these five, over JSON, server-sent events and WebSocket`, async () => {
  const s = await newSession();
  for (let n = 1; n < long; n += 1000) {
    const r = await append(counted(Math.min(n + 999, long - 1), n).map((k) => partial(s.id, k)));
    assert.equal(r.status, 200, r.text);
  }
  const five = counted(long, long - 4);
  const page = await replay(s.token, s.id, `?afterSequence=${long - 5}`);
  assert.deepEqual(page.json.events.map((e) => e.sequence), five);
  assert.equal(page.json.hasMore, false);
  for (const follow of Object.values(ways)) {
    const c = await follow(s, long - 5);
    await c.reached(long);
    assert.deepEqual(c.sequences(), five);
    assert.deepEqual(c.resets(), []);
    c.close();
  }
  const back = await call('POST', `/v1/call/sessions/${s.id}/reconnect`,
    { token: s.token, body: { resumeToken: s.session.resumeToken, lastAckSequence: long - 5 } });
  assert.deepEqual(back.json.replay.events.map((e) => e.sequence), [...five, long + 1], 'and the event that tells of it');
});

/* ---- T3, T4 ---- */

const unknown = [
  ['server-sent events', 999, 'cursor_ahead'], ['server-sent events', '9223372036854775807', 'cursor_ahead'],
  ['server-sent events', 'garbage', 'cursor_invalid'], ['server-sent events', '-1', 'cursor_invalid'],
  ['server-sent events', '99999999999999999999', 'cursor_invalid'], ['WebSocket', 999, 'cursor_ahead'],
  ['WebSocket', 9007199254740991, 'cursor_ahead'],
];

test('T3 a cursor we never gave is answered with a reset that says why', async () => {
  const s = await newSession();
  for (const [way, cursor, reason] of unknown) {
    const c = await ways[way](s, cursor);
    await until(`a reset for ${cursor}`, () => c.resets().length);
    assert.deepEqual(c.resets().map((r) => [r.reason, r.fromSequence, r.latestSequence]), [[reason, 0, 1]], `${way} ${cursor}`);
    c.close();
  }
  const query = new Listener(s.token, s.id, { after: 999 });
  await until('a reset', () => query.named.reset.length);
  assert.equal(query.named.reset[0].reason, 'cursor_ahead');
  query.close();
  const ws = await known(s.token);
  for (const afterSequence of [-1, 1.5, 'garbage']) {
    ws.send({ op: 'subscribe', sessionId: s.id, afterSequence });
    assert.equal((await ws.next('error')).code, 'INVALID_REQUEST', 'what is no number at all is refused');
  }
  ws.close();
});

test('T4 who comes with a cursor we never gave is never left in silence: he hears the past, then the present', async () => {
  for (const [way, cursor] of unknown) {
    const s = await newSession();
    await append(counted(4).map((n) => partial(s.id, n)));
    const c = await ways[way](s, cursor);
    await c.reached(5);
    await append(partial(s.id, 5));
    await c.reached(6);
    assert.deepEqual(c.sequences(), counted(6), `${way} ${cursor}`);
    assert.equal(c.resets().length, 1);
    c.close();
  }
});

/* ---- T5 ---- */

for (const [way, follow] of Object.entries(ways)) {
  test(`T5 an event written right after we said yes to a subscription arrives, 200 times in a row (${way})`, async () => {
    const { token } = await newSession();
    for (let i = 0; i < 200; i++) {
      const { json } = await call('POST', '/v1/call/sessions', { token, body: {} });
      const s = { id: json.session.sessionId, token }, c = await follow(s);
      await append(partial(s.id, 1));
      await c.reached(2);
      assert.deepEqual(c.sequences(), [1, 2]);
      c.close();
    }
  });
}

/* ---- T7 ---- */

for (const [way, follow] of Object.entries(ways)) {
  test(`T7 who comes back and missed nothing is let in, without a reset (${way})`, async () => {
    const s = await newSession(), more = counted(3).map((n) => partial(s.id, n));
    for (const head of [1, 4]) { // a session that has only begun, and one with a past
      const c = await follow(s, head);
      await append(more);
      await c.reached(head + 3);
      assert.deepEqual(c.sequences(), counted(head + 3, head + 1));
      assert.deepEqual(c.resets(), []);
      c.close();
    }
  });
}

test('T7 a session is resumed when nothing was missed, over HTTP and WebSocket', async () => {
  const s = await newSession();
  const r = await call('POST', `/v1/call/sessions/${s.id}/reconnect`,
    { token: s.token, body: { resumeToken: s.session.resumeToken, lastAckSequence: 1 } });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json.replay.events.map((e) => e.type), ['call.reconnecting']);
  const ws = await subscribed(s.token, s.id, { resumeToken: r.json.session.resumeToken, lastAckSequence: 2 });
  await ws.reached(s.id, 3);
  assert.deepEqual(ws.sequences(s.id), [3]);
  assert.deepEqual(ws.messages.filter((m) => m.op === 'reset' || m.op === 'error'), []);
  ws.close();
  const page = await replay(s.token, s.id, '?afterSequence=3');
  assert.deepEqual([page.status, page.json.events, page.json.nextCursor, page.json.hasMore], [200, [], 3, false]);
});
