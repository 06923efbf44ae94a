// Erasure: what was said in a call goes for good when the operator says so, and only then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, call, history, newSession, operator, partial, replay } from './client.mjs';

const said = (s, n) => ({ ...partial(s.id, n), eventId: `${s.id}:${n}` });

test('the operator erases a call: payloads are null everywhere, its events stay where they were', async () => {
  const s = await newSession();
  for (let page = 0; page < 3; page++) await append(Array.from({ length: 1000 }, (_, n) => said(s, page * 1000 + n)));
  const before = await history(s.token, s.id);
  operator('erase', '--account', s.user, '--session', s.id, '--yes');
  const after = await history(s.token, s.id);
  assert.deepEqual(after, before.map((e) => ({ ...e, payload: null })));
  const { json } = await call('GET', `/v1/realtime/sessions/${s.id}/transcript-snapshots?limit=1&afterSequence=3000`, { token: s.token });
  assert.deepEqual(json.snapshots.map((t) => [t.utteranceId, t.text, t.payload]), [['utt-2999', null, null]]);
  assert.ok(!(await replay(s.token, s.id, '?limit=1')).text.includes('word 1'));
  const again = await append(said(s, 7));
  assert.equal(again.json.deduped, true, 'a repeat is still known for one');
  assert.equal((await append(said(s, 5000))).json.event.sequence, 3002);
});

test('nothing is erased without --yes, nor in a session that is not there', async () => {
  const s = await newSession();
  await append(said(s, 1));
  const before = await history(s.token, s.id);
  assert.throws(() => operator('erase', '--account', s.user, '--session', s.id), /say --yes/);
  assert.throws(() => operator('erase', '--account', s.user, '--session', 'sess_missing', '--yes'), /SESSION_NOT_FOUND/);
  assert.throws(() => operator('erase', '--account', 'nobody', '--session', s.id, '--yes'), /SESSION_NOT_FOUND/);
  assert.deepEqual(await history(s.token, s.id), before);
  operator('erase', '--account', s.user, '--session', s.id, '--from', '2', '--to', '2', '--yes');
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.payload === null), [false, true]);
});
