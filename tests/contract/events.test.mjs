// Events: accepted once, in a gapless order, strictly typed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, call, history, ingestToken, newSession, partial, replay, unique } from './client.mjs';
import { good, bad } from './vectors.mjs';

test('an event is stored with the next sequence and read back as it was answered', async () => {
  const s = await newSession();
  const { status, json } = await append(partial(s.id, 1));
  assert.equal(status, 200);
  assert.equal(json.deduped, false);
  assert.equal(json.event.sequence, 2);
  const events = await history(s.token, s.id);
  assert.deepEqual(events[1], json.event);
});

test('the same event id with the same content is answered with the stored event', async () => {
  const s = await newSession();
  const e = partial(s.id, 1, { eventId: unique('evt'), ts: '2026-01-02T03:04:05.678Z' });
  const first = await append(e);
  const again = await append(e);
  assert.equal(again.status, 200);
  assert.equal(again.json.deduped, true);
  assert.deepEqual(again.json.event, first.json.event);
  const reordered = await append({ ...e, payload: Object.fromEntries(Object.entries(e.payload).reverse()) });
  assert.equal(reordered.json.deduped, true, 'key order is not content');
});

test('the same event id with other content is a 409 and changes nothing', async () => {
  const s = await newSession();
  const eventId = unique('evt');
  await append(partial(s.id, 1, { eventId }));
  for (const other of [partial(s.id, 2, { eventId }), { ...partial(s.id, 1, { eventId }), type: 'transcript.final' }]) {
    const r = await append(other);
    assert.equal(r.status, 409);
    assert.equal(r.json.code, 'EVENT_ID_CONFLICT');
  }
  assert.equal((await history(s.token, s.id)).length, 2);
});

test('an array is stored whole or not at all', async () => {
  const s = await newSession();
  const ok = await append(Array.from({ length: 1000 }, (_, i) => partial(s.id, i)));
  assert.equal(ok.status, 200);
  assert.deepEqual(ok.json.results.map((r) => r.event.sequence), Array.from({ length: 1000 }, (_, i) => i + 2));
  const broken = await append([partial(s.id, 1), partial(s.id, 2), { ...partial(s.id, 3), type: 'call.nonsense' }]);
  assert.equal(broken.status, 400);
  assert.match(broken.json.message, /events\[2\]/);
  const eventId = ok.json.results[0].event.eventId;
  const conflict = await append([partial(s.id, 2001), partial(s.id, 2002, { eventId })]);
  assert.equal(conflict.status, 409);
  assert.match(conflict.json.message, /events\[1\]/);
  assert.equal((await history(s.token, s.id)).length, 1001);
  const many = await append(Array.from({ length: 1001 }, (_, i) => partial(s.id, i)));
  assert.equal(many.status, 400);
});

test('NDJSON is an array, one event a line', async () => {
  const s = await newSession();
  const raw = [1, 2, 3].map((n) => JSON.stringify(partial(s.id, n))).join('\n') + '\n';
  const r = await call('POST', '/v1/realtime/events', { token: ingestToken, raw, headers: { 'content-type': 'application/x-ndjson' } });
  assert.equal(r.status, 200);
  assert.deepEqual(r.json.results.map((x) => x.event.sequence), [2, 3, 4]);
});

test('a retry with the same Idempotency-Key and no event ids stores nothing twice', async () => {
  const s = await newSession();
  const headers = { 'idempotency-key': unique('key') };
  const a = await append([partial(s.id, 1), partial(s.id, 2)], ingestToken, headers);
  const b = await append([partial(s.id, 1), partial(s.id, 2)], ingestToken, headers);
  assert.deepEqual(b.json.results.map((r) => [r.deduped, r.event.sequence]), a.json.results.map((r) => [true, r.event.sequence]));
  assert.equal((await history(s.token, s.id)).length, 3);
});

test('each of the 24 types is accepted as the rules say', async () => {
  const s = await newSession();
  assert.equal(Object.keys(good).length, 24);
  for (const [type, payload] of Object.entries(good)) {
    const r = await append({ sessionId: s.id, type, payload });
    assert.equal(r.status, 200, `${type}: ${r.text}`);
    assert.deepEqual(r.json.event.payload, payload);
  }
});

test('each broken payload is refused by name and stored nowhere', async () => {
  const s = await newSession();
  for (const [type, payload] of bad) {
    const r = await append({ sessionId: s.id, type, payload });
    assert.equal(r.status, 400, `${type} ${JSON.stringify(payload)}: ${r.text}`);
    assert.equal(r.json.code, 'INVALID_REALTIME_EVENT');
  }
  assert.equal((await history(s.token, s.id)).length, 1);
});

test('the envelope is strict: unknown keys, wrong version, missing session', async () => {
  const s = await newSession();
  const e = partial(s.id, 1);
  for (const broken of [{ ...e, sequence: 7 }, { ...e, schemaVersion: '2.0' }, { ...e, schemaVersion: 1.0 }, { ...e, ts: 'yesterday' },
    { ...e, payload: [] }, { ...e, payload: undefined }, { ...e, sessionId: undefined }, { ...e, eventId: '' }, { ...e, type: 7 }]) {
    const r = await append(broken);
    assert.equal(r.status, 400, JSON.stringify(broken));
  }
  assert.equal((await append(partial('sess_missing', 1))).json.code, 'SESSION_NOT_FOUND');
  assert.equal((await append(partial('sess_missing', 1))).status, 404);
});

test('an owner may report what an owner sees, not what the appliance decides', async () => {
  const s = await newSession();
  const mine = await append(partial(s.id, 1), s.token);
  assert.equal(mine.status, 200);
  assert.equal(mine.json.event.origin, 'owner');
  for (const type of ['billing.usage.recorded', 'call.ended', 'safety.approved', 'action.executed']) {
    const r = await append({ sessionId: s.id, type, payload: good[type] }, s.token);
    assert.equal(r.status, 403, type);
  }
  const stranger = await newSession();
  assert.equal((await append(partial(s.id, 2), stranger.token)).status, 404);
});

test('replay pages by sequence and says whether there is more', async () => {
  const s = await newSession();
  await append(Array.from({ length: 25 }, (_, i) => partial(s.id, i)));
  const page = await replay(s.token, s.id, '?afterSequence=10&limit=10');
  assert.deepEqual(page.json.events.map((e) => e.sequence), [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  assert.equal(page.json.hasMore, true);
  assert.equal(page.json.nextCursor, 20);
  assert.equal(page.json.resume.latestSequence, 26);
  const last = await replay(s.token, s.id, '?afterSequence=26');
  assert.deepEqual(last.json.events, []);
  assert.equal(last.json.hasMore, false);
  assert.equal(last.json.nextCursor, 26);
});

test('a final supersedes its partials in the transcript state', async () => {
  const s = await newSession();
  const say = (type, text) => append({ sessionId: s.id, type, payload: { utteranceId: 'u1', speaker: 'user', text, startMs: 0, endMs: 5 } });
  await say('transcript.partial', 'hel');
  await say('transcript.final', 'hello');
  await say('transcript.partial', 'hell');
  const { json } = await replay(s.token, s.id);
  assert.deepEqual(json.transcriptState.map((t) => [t.utteranceId, t.text]), [['u1', 'hello']]);
});
