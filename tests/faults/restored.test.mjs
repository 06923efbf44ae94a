// The database is restored to an earlier moment under an appliance that goes on: whoever listens is told, and starts anew.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { append, kill, newSession, partial, until } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { sql, verified } from './database.mjs';
import { second } from './second.mjs';

let b;
before(async () => { b = await second(); });
after(() => b?.end());

/** As if the moment after the session's first n events had been restored. */
function restored(s, n) {
  sql(`SET session_replication_role = replica;
    DELETE FROM lifeos.event WHERE session_id = '${s.id}' AND sequence > ${n};
    DELETE FROM lifeos.transcript_segment WHERE session_id = '${s.id}' AND sequence > ${n};
    UPDATE lifeos.stream s SET head = ${n}, head_hash = e.hash FROM lifeos.event e WHERE s.stream_id = '${s.id}'
      AND e.account_id = s.account_id AND e.session_id = s.stream_id AND e.sequence = ${n}`);
}

async function listening(t, s, n) {
  const both = [new Listener(s.token, s.id), new Listener(s.token, s.id, { at: b.url })];
  t.after(() => both.forEach((l) => l.close()));
  for (const l of both) await l.reached(n);
  return both;
}

/** What a listener heard after it was told that it is ahead: all there is now, once, in order. */
async function anew(l, told, n) {
  const rest = () => l.sequences.slice(told);
  await until('a reset and all that is there', () => l.named.reset.length && rest().at(-1) === n, 30);
  assert.equal(l.named.reset[0].reason, 'cursor_ahead');
  assert.deepEqual(rest(), counted(n));
}

for (const [how, crash] of Object.entries({ 'in place': () => {}, 'with a restart of PostgreSQL': () => kill('postgres') })) {
  test(`restored ${how}: live listeners of both appliances are told that they are ahead, and hear what is there`, async (t) => {
    const s = await newSession();
    await append(counted(9).map((i) => partial(s.id, i)));
    const listeners = await listening(t, s, 10);
    restored(s, 4);
    crash();
    for (const l of listeners) await anew(l, 10, 4);
    assert.equal((await append(partial(s.id, 100))).status, 200);
    for (const l of listeners) await anew(l, 10, 5);
    assert.deepEqual(verified(s.id), [5, null]);
  });
}

test('a session that is not in the restored database any more is no longer followed', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s, 1);
  sql(`SET session_replication_role = replica;
    DELETE FROM lifeos.call_session WHERE session_id = '${s.id}'; DELETE FROM lifeos.event WHERE session_id = '${s.id}';
    DELETE FROM lifeos.stream WHERE stream_id = '${s.id}'`);
  for (const l of listeners) await until('the end of its stream', () => l.named.close.length, 30);
});
