// Transcripts: partials come and go, the final stays, and nothing of it depends on how long the call is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, call, history, ingestToken, newSession, replay, unique, userToken } from './client.mjs';

const said = (s, kind, utteranceId, text, n = 0) =>
  ({ sessionId: s.id, type: `transcript.${kind}`, payload: { utteranceId, speaker: 'user', text, startMs: n, endMs: n + 1 } });
const say = async (s, ...events) => {
  const r = await append(events);
  assert.equal(r.status, 200, r.text);
};
const path = (s) => `/v1/realtime/sessions/${s.id}/transcript-snapshots`;
const list = (s, query = '', token = s.token) => call('GET', path(s) + query, { token });
const compact = (s, body, { token = s.token, headers } = {}) => call('POST', `${path(s)}/compact`, { token, body, headers });
const state = async (s, query = '') => (await replay(s.token, s.id, query)).json;
const words = (snapshots) => snapshots.map((t) => [t.utteranceId, t.text]);

test('an utterance is its partials until its final, and a late partial does not win', async () => {
  const s = await newSession();
  await say(s, said(s, 'partial', 'u1', 'he'), said(s, 'partial', 'u2', 'y'), said(s, 'partial', 'u1', 'hell'));
  assert.deepEqual(words((await state(s)).transcriptState), [['u1', 'hell'], ['u2', 'y']]);
  await say(s, said(s, 'final', 'u1', 'hello'), said(s, 'partial', 'u1', 'hel'));
  const now = await state(s);
  assert.deepEqual(words(now.transcriptState), [['u1', 'hello'], ['u2', 'y']]);
  assert.equal(now.transcriptComplete, true);
  assert.equal(now.transcriptSnapshotsCount, 5);
});

test('a later final replaces an earlier one', async () => {
  const s = await newSession();
  await say(s, said(s, 'final', 'u1', 'four'), said(s, 'final', 'u2', 'more'), said(s, 'final', 'u1', 'for'), said(s, 'partial', 'u1', 'fo'));
  assert.deepEqual(words((await state(s)).transcriptState), [['u1', 'for'], ['u2', 'more']]);
});

test('snapshots page by sequence, whatever stands between them, and tell where to go on', async () => {
  const s = await newSession();
  const other = { sessionId: s.id, type: 'call.error', payload: { callId: s.id, code: 'X', message: 'x', retryable: true } };
  for (let n = 0; n < 5; n++) await say(s, said(s, 'partial', 'u1', `w${n}`), other);
  const first = await list(s, '?limit=3');
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(Object.keys(first.json), ['ok', 'sessionId', 'count', 'snapshots', 'nextCursor', 'hasMore', 'retention']);
  assert.deepEqual([first.json.count, first.json.hasMore, first.json.nextCursor], [3, true, 6]);
  const rest = await list(s, `?limit=3&afterSequence=${first.json.nextCursor}`);
  assert.deepEqual([rest.json.count, rest.json.hasMore], [2, false]);
  assert.deepEqual([...first.json.snapshots, ...rest.json.snapshots].map((t) => t.text), ['w0', 'w1', 'w2', 'w3', 'w4']);
  const events = await history(s.token, s.id);
  for (const t of rest.json.snapshots) assert.deepEqual(t.payload, events[t.sequence - 1].payload);
});

test('an utterance that is beyond the first page is found by its id', async () => {
  const s = await newSession();
  await say(s, ...Array.from({ length: 300 }, (_, n) => said(s, 'partial', 'long', `w${n}`)), said(s, 'final', 'short', 'ok'));
  const r = await list(s, '?limit=5&utteranceId=short');
  assert.deepEqual(words(r.json.snapshots), [['short', 'ok']]);
  assert.equal(r.json.hasMore, false);
});

test('statistics only when asked for', async () => {
  const s = await newSession();
  await say(s, said(s, 'partial', 'u1', 'he'), said(s, 'final', 'u1', 'hello'));
  const { json } = await list(s, '?includeStats=true&limit=1');
  assert.deepEqual(Object.keys(json.stats), ['count', 'minSequence', 'maxSequence', 'minTimestamp', 'maxTimestamp', 'payloadBytes']);
  assert.deepEqual([json.count, json.stats.count, json.stats.minSequence, json.stats.maxSequence], [1, 2, 2, 3]);
  assert.equal(typeof json.diagnostics.queryMs, 'number');
});

test('the state is complete after 3000 partials of one utterance and a final long ago', async () => {
  const s = await newSession();
  await say(s, said(s, 'final', 'first', 'the very first words'));
  for (let page = 0; page < 3; page++)
    await say(s, ...Array.from({ length: 1000 }, (_, n) => said(s, 'partial', 'long', `word ${page * 1000 + n}`)));
  const all = await state(s, '?limit=1');
  assert.deepEqual(words(all.transcriptState), [['first', 'the very first words'], ['long', 'word 2999']]);
  assert.deepEqual([all.transcriptComplete, all.transcriptSnapshotsCount], [true, 3001]);
  const some = await state(s, '?limit=1&snapshotLimit=2000&diagnostics=1');
  assert.deepEqual(words(some.transcriptState), [['long', 'word 2999']]);
  assert.deepEqual([some.transcriptComplete, some.transcriptSnapshotsCount, some.diagnostics.snapshotLimit], [false, 2000, 2000]);
});

test('compaction keeps the newest, the only final of an early utterance, and every event', async () => {
  const s = await newSession();
  await say(s, said(s, 'partial', 'u1', 'h'), said(s, 'final', 'u1', 'hello'), said(s, 'partial', 'u1', 'late'),
    ...Array.from({ length: 20 }, (_, n) => said(s, 'partial', 'u2', `w${n}`)));
  const before = await state(s);
  const headers = { 'idempotency-key': unique('key') };
  const r = await compact(s, { keepLast: 3 }, { headers });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json, { ok: true, sessionId: s.id, keepLast: 3, deletedCount: 19, more: false,
    before: { count: 23, minSequence: 2, maxSequence: 24 }, after: { count: 4, minSequence: 3, maxSequence: 24 } });
  assert.deepEqual((await compact(s, { keepLast: 3 }, { headers })).json, r.json);
  assert.deepEqual(words((await list(s)).json.snapshots), [['u1', 'hello'], ['u2', 'w17'], ['u2', 'w18'], ['u2', 'w19']]);
  assert.deepEqual((await state(s)).transcriptState, before.transcriptState);
  assert.equal((await history(s.token, s.id)).length, 24);
});

test('three snapshots compacted to two leave the newest two', async () => {
  const s = await newSession();
  await say(s, said(s, 'partial', 'u1', 'a'), said(s, 'partial', 'u1', 'ab'), said(s, 'final', 'u1', 'abc'));
  const r = await compact(s, { keepLast: 2 });
  assert.equal(r.json.deletedCount, 1);
  assert.deepEqual((await list(s)).json.snapshots.map((t) => t.sequence), [3, 4]);
  const gentle = await compact(s, {});
  assert.deepEqual([gentle.json.keepLast, gentle.json.deletedCount], [2000, 0]);
});

test('a transcript is its people\'s: strangers find nothing, small roles forget nothing', async () => {
  const s = await newSession();
  await say(s, said(s, 'final', 'u1', 'secret'));
  const stranger = await newSession();
  assert.equal((await call('GET', path(s), {})).status, 401);
  assert.equal((await call('POST', `${path(s)}/compact`, { body: {} })).status, 401);
  assert.deepEqual([(await list(s, '', stranger.token)).status, (await compact(s, {}, stranger)).status], [404, 404]);
  assert.equal((await list(s, '', ingestToken)).status, 200);
  assert.equal((await compact(s, {}, { token: ingestToken })).status, 403);
  const viewer = userToken(unique('viewer'), { account: s.user, role: 'viewer' });
  assert.deepEqual([(await list(s, '', viewer)).status, (await compact(s, {}, { token: viewer })).status], [200, 403]);
  assert.equal((await list(s, '?afterSequence=-1')).status, 400);
  assert.equal((await compact(s, { keep: 3 })).status, 400);
});
