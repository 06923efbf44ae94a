// kill -9 in the middle of a sentence: every acknowledged partial is there, and the transcript is of them all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, history, ingestToken, kill, newSession, persistent, replay } from '../contract/client.mjs';
import { counted } from '../contract/sse.mjs';
import { verified } from './database.mjs';

const said = (s, kind, n) => ({ sessionId: s.id, eventId: `${s.id}:${n}`, type: `transcript.${kind}`,
  payload: { utteranceId: `u${Math.floor((n - 1) / 10)}`, speaker: 'user', text: `word ${n}`, startMs: n, endMs: n + 1 } });

test('kill -9 of the writer and of frontends between partials: each acknowledged one is in the transcript, once', async () => {
  const s = await newSession();
  const acked = new Map();
  const victims = ['writer', 'frontend@1', 'writer', 'frontend@2', 'writer'];
  for (const n of counted(60)) {
    const asked = persistent('POST', '/v1/realtime/events', { token: ingestToken, body: said(s, n % 10 ? 'partial' : 'final', n) }, 60);
    if (n % 12 === 5) kill(victims[Math.floor(n / 12)]);
    const r = await asked;
    assert.equal(r.status, 200, r.text);
    acked.set(n, r.json.event.sequence);
  }
  const stored = await history(s.token, s.id);
  assert.deepEqual(stored.map((e) => e.sequence), counted(61));
  for (const [n, sequence] of acked) assert.equal(stored[sequence - 1].eventId, `${s.id}:${n}`);
  const { json } = await call('GET', `/v1/realtime/sessions/${s.id}/transcript-snapshots?limit=2000`, { token: s.token });
  assert.deepEqual(json.snapshots.map((t) => t.text), counted(60).map((n) => `word ${n}`));
  const now = (await replay(s.token, s.id)).json;
  assert.deepEqual(now.transcriptState.map((t) => [t.utteranceId, t.text]), counted(6).map((u) => [`u${u - 1}`, `word ${u * 10}`]));
  assert.equal(now.transcriptComplete, true);
  assert.deepEqual(verified(s.id), [61, null]);
});

test('a compaction that is asked for while the writer is killed is done once and has one answer', async () => {
  const s = await newSession();
  const r = await persistent('POST', '/v1/realtime/events', { token: ingestToken, body: counted(9).map((n) => said(s, 'partial', n)) });
  assert.equal(r.status, 200, r.text);
  const headers = { 'idempotency-key': `compact ${s.id}` };
  const ask = () => persistent('POST', `/v1/realtime/sessions/${s.id}/transcript-snapshots/compact`,
    { token: s.token, headers, body: { keepLast: 2 } }, 60);
  const first = ask();
  kill('writer');
  const [a, b] = [await first, await ask()];
  assert.deepEqual([a.json.deletedCount, a.json.after.count], [7, 2]);
  assert.deepEqual(b.json, a.json);
});
