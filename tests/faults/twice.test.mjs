// A killed writer's transactions go on without it: what its successor is asked again runs beside them, and counts once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { billed, call, history, ingestToken, kill, newSession, partial, persistent, until } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { holding, sql, verified } from './database.mjs';

const waiting = () => sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'lifeos-writer' AND wait_event_type = 'Lock'").map(([pid]) => pid);

/** Asks while the session's stream is held, kills the writer that waits for it, and lets both go when the next one waits too. */
async function byTwoWriters(session, ask) {
  const release = holding(`SELECT FROM lifeos.stream WHERE stream_id = '${session}' FOR UPDATE`);
  try {
    await until('the lock', () => sql("SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE 'SELECT FROM lifeos.stream%'").length);
    const answers = Promise.all(ask());
    await until('the writer to wait', () => waiting().length);
    const before = waiting();
    kill('writer');
    await until('its successor to wait', () => waiting().some((pid) => !before.includes(pid)));
    await release();
    return await answers;
  } finally { await release(); }
}

const bodies = (answers) => new Set(answers.map((r) => JSON.stringify(r.json)));

test('one change of state, asked for by six clients with one key while the writer is killed, happens once and has one answer', async () => {
  const s = await newSession();
  const listener = new Listener(s.token, s.id);
  await listener.reached(1);
  const headers = { 'idempotency-key': `end ${s.id}` };
  const answers = await byTwoWriters(s.id, () => counted(6).map(() =>
    persistent('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, headers, body: { status: 'ended' } })));
  assert.equal(answers[0].status, 200, answers[0].text);
  assert.equal(bodies(answers).size, 1);
  assert.equal(answers[0].json.idempotentReplay, false);
  await listener.reached(4);
  listener.close();
  assert.deepEqual(listener.events.map((e) => e.type), ['call.started', 'call.ended', ...billed]);
  assert.deepEqual(verified(s.id), [4, null]);
  const other = await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, headers, body: { status: 'failed' } });
  assert.deepEqual([other.status, other.json.code], [409, 'IDEMPOTENCY_CONFLICT']);
});

test('events that six clients send at once while the writer is killed are stored once, at one place', async () => {
  const s = await newSession();
  const listener = new Listener(s.token, s.id);
  await listener.reached(1);
  const body = counted(5).map((n) => partial(s.id, n, { eventId: `${s.id}:${n}` }));
  const answers = await byTwoWriters(s.id, () => counted(6).map(() =>
    persistent('POST', '/v1/realtime/events', { token: ingestToken, body })));
  for (const r of answers)
    assert.deepEqual(r.json.results.map(({ event }) => [event.eventId, event.sequence]), body.map((e, i) => [e.eventId, i + 2]));
  await listener.reached(6);
  listener.close();
  assert.deepEqual(listener.sequences, counted(6));
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.sequence), counted(6));
  assert.deepEqual(verified(s.id), [6, null]);
});
