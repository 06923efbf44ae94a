// kill -9, whatever and whenever: nothing acknowledged is lost, doubled or reordered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { history, ingestToken, kill, newSession, partial, persistent, unique, until, call } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';

const victims = (process.env.LIFEOS_KILL_VICTIMS ?? 'writer,frontend@1,frontend@2,webhook,postgres').split(',');

/** Appends until told to stop, retrying the same event ids; returns what was acknowledged, by event id. */
function publisher(s, name) {
  const acked = new Map();
  let stop = false, n = 0;
  const run = (async () => {
    while (!stop) {
      const batch = counted(1 + (n % 7)).map(() => partial(s.id, ++n, { eventId: `${name}-${n}` }));
      const r = await persistent('POST', '/v1/realtime/events', { token: ingestToken, body: batch }, 60);
      assert.equal(r.status, 200, r.text);
      for (const { event } of r.json.results) {
        assert.ok(!acked.has(event.eventId));
        acked.set(event.eventId, event.sequence);
      }
    }
  })();
  return { acked, count: () => n, end: async () => { stop = true; await run; } };
}

for (const victim of victims) {
  test(`kill -9 of ${victim} three times under load: no acknowledged event lost, doubled or moved`, async () => {
    const sessions = await Promise.all([newSession(), newSession(), newSession()]);
    const listeners = sessions.map((s) => new Listener(s.token, s.id));
    await Promise.all(listeners.map((l) => l.ready()));
    const writers = sessions.flatMap((s) => [publisher(s, unique('a')), publisher(s, unique('b'))]);
    for (let round = 0; round < 3; round++) {
      const before = writers.map((w) => w.acked.size);
      await until('progress', () => writers.every((w, i) => w.acked.size > before[i]), 60);
      kill(victim);
    }
    const before = writers.map((w) => w.acked.size);
    await until('progress after the last kill', () => writers.every((w, i) => w.acked.size > before[i]), 60);
    await Promise.all(writers.map((w) => w.end()));
    for (const [i, s] of sessions.entries()) {
      const stored = await history(s.token, s.id);
      assert.deepEqual(stored.map((e) => e.sequence), counted(stored.length), 'gapless');
      const at = new Map(stored.map((e) => [e.eventId, e.sequence]));
      assert.equal(at.size, stored.length, 'no event twice');
      for (const w of writers.slice(i * 2, i * 2 + 2))
        for (const [id, sequence] of w.acked) assert.equal(at.get(id), sequence, `${id} is where it was acknowledged`);
      await listeners[i].reached(stored.length, 60);
      assert.deepEqual(listeners[i].sequences, counted(stored.length), 'the listener heard all of it once');
      listeners[i].close();
    }
  });
}

test('a create whose answer was lost in a kill is answered once by its retry', async () => {
  const s = await newSession();
  const headers = { 'idempotency-key': unique('key') };
  const ask = () => persistent('POST', '/v1/call/sessions', { token: s.token, headers, body: { metadata: { a: 1 } } }, 60);
  const first = ask();
  kill('writer');
  const [a, b] = [await first, await ask()];
  assert.deepEqual(b.json, a.json);
  const list = await call('GET', '/v1/call/sessions?limit=100', { token: s.token });
  assert.equal(list.json.sessions.length, 2);
});
