// T9 and T10 of the promises: the past outlives everything, and notices only make it faster. And T8 while the database is slow.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { history, ingestToken, kill, newSession, operator, partial, persistent, until, url } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { Socket } from '../contract/ws.mjs';
import { sql, verified } from './database.mjs';
import { second } from './second.mjs';
import { SseClient, Stream, WsClient } from './storm_clients.mjs';

const send = (s, events, at = url) => persistent('POST', '/v1/realtime/events', { token: ingestToken, body: events, at }, 60);

const stored = (s) => until('a replay', () => history(s.token, s.id).catch((e) => {
  if (e.message !== 'replay: 503') throw e;
}), 60);

const READS = 'api[.](stream_open|event_read|event_replay|key_check|session_get|health)';

/** A subscribed socket, asked for until the appliance is back. */
const socket = (s, afterSequence) => until('a subscription', async () => {
  const ws = await Socket.open({ token: s.token }).catch(() => undefined);
  if (ws?.status !== 101) return undefined;
  ws.send({ op: 'subscribe', sessionId: s.id, afterSequence });
  const told = (op) => ws.messages.some((m) => m.op === op);
  await ws.until(() => told('subscribed') || told('error') || ws.closed);
  return told('subscribed') ? ws : ws.close();
}, 60);

/* ---- T8 ---- */

/** Stops the connections that the writer reads with, until the function that is returned is called. */
function readersStopped() {
  const pids = sql(`SELECT pid FROM pg_stat_activity WHERE application_name = 'lifeos-writer' AND query ~ '${READS}'`).map(([pid]) => Number(pid));
  assert.ok(pids.length > 0);
  pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  return () => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
}

test('T8 whose key was revoked hears nothing that is written after that, not even while nobody can be asked whether he may', async (t) => {
  const s = await newSession();
  const key = operator('key', 'create', '--scope', 'operator', '--account', '*', '--label', 'T8').trim();
  const listeners = counted(6).map(() => new Listener(key, s.id));
  const sockets = await Promise.all(counted(6).map(() => socket({ ...s, token: key }, 0)));
  t.after(() => [...listeners, ...sockets].forEach((c) => c.close()));
  await Promise.all([...listeners.map((l) => l.reached(1)), ...sockets.map((w) => w.reached(s.id, 1))]);
  const others = counted(6).map(() => new Listener(ingestToken, s.id));
  t.after(() => others.forEach((c) => c.close()));
  await Promise.all(others.map((l) => l.reached(1)));
  const go = readersStopped();
  try {
    operator('key', 'revoke', key.split('_')[1]);
    await send(s, partial(s.id, 1));
    await Promise.all(others.map((l) => l.reached(2)));
    assert.deepEqual([...listeners.map((l) => l.sequences), ...sockets.map((w) => w.sequences(s.id))], counted(12).map(() => [1]));
  } finally { go(); }
  for (const l of listeners) assert.equal((await until('the end', () => l.named.close[0])).reason, 'revoked');
  for (const w of sockets) assert.equal((await w.end()).reason, 'revoked');
  assert.deepEqual([...listeners.map((l) => l.sequences), ...sockets.map((w) => w.sequences(s.id))], counted(12).map(() => [1]));
});

/* ---- T9 ---- */

/** What is committed waits for nobody to write it down: if an answer did not wait for the disk, it is lost below. */
function lazy() {
  sql("ALTER SYSTEM SET wal_writer_delay = '10s'");
  sql("ALTER SYSTEM SET wal_writer_flush_after = '1GB'");
  sql('SELECT pg_reload_conf()');
}

function diligent() {
  sql('ALTER SYSTEM RESET ALL');
  sql('SELECT pg_reload_conf()');
}

test('T9 a cursor outlives everything: after kill -9 of all daemons and of PostgreSQL it goes on exactly there', async (t) => {
  lazy();
  t.after(() => until('the database', () => { try { diligent(); return true; } catch { return false; } }, 60));
  for (let round = 0; round < 3; round++) {
    const s = await until('a session', () => newSession().catch(() => undefined), 60);
    const named = (n) => partial(s.id, n, { eventId: `${s.id}:${n}` });
    const stream = new Stream(s.id, s.token), clients = [new SseClient(stream, Math.random), new WsClient([stream], Math.random)];
    const reached = (n) => until(`event ${n}`, () => clients.every((c) => c.wrong.length || c.cursors.get(s.id) >= n), 60);
    t.after(() => clients.forEach((c) => c.stop()));
    await reached(1);
    for (let n = 1; n <= 30; n++) assert.equal((await send(s, named(n))).json.event.sequence, n + 1);
    for (const victim of ['postgres', 'writer', 'frontend@1', 'frontend@2', 'webhook']) kill(victim);
    const cursors = clients.map((c) => c.cursors.get(s.id));
    for (let n = 31; n <= 35; n++) await send(s, named(n));
    await reached(36);
    assert.deepEqual(clients.flatMap((c) => c.wrong), [], `from ${cursors} on: no reset, no gap, nothing twice`);
    const all = await stored(s);
    assert.deepEqual(all.map((e) => [e.sequence, e.eventId]), [...stream.at], 'what was heard is what is stored');
    assert.deepEqual(all.slice(1).map((e) => e.eventId), counted(35).map((n) => `${s.id}:${n}`), 'what was acknowledged is where it was');
    assert.deepEqual(verified(s.id), [36, null]);
    clients.forEach((c) => c.stop());
  }
});

/* ---- T10 ---- */

const REVOKE = 'REVOKE EXECUTE ON FUNCTION api.node_notify FROM "lifeos-writer"';
const GRANT = 'GRANT EXECUTE ON FUNCTION api.node_notify TO "lifeos-writer"';
const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lifeos-writer'
  AND query ~ 'api[.](node_|heads_moved)|^LISTEN'`;

/** Follows on the first appliance, over both transports. */
async function followers(t, s) {
  const l = new Listener(s.token, s.id), ws = await socket(s, 0);
  t.after(() => { l.close(); ws.close(); });
  await l.ready();
  return async (n) => {
    await l.reached(n, 30);
    await ws.until(() => ws.sequences(s.id).at(-1) >= n);
    assert.deepEqual(l.sequences, counted(n));
    assert.deepEqual(ws.sequences(s.id), counted(n));
  };
}

let b;
before(async () => { b = await second(); });
after(() => b?.end());

test('T10 without a single notice from the other appliance every event of it is heard, only later', async (t) => {
  const s = await newSession();
  const heard = await followers(t, s);
  sql(REVOKE);
  try {
    for (let n = 1; n <= 5; n++) {
      await send(s, [partial(s.id, n)], b.url);
      await heard(1 + n);
    }
  } finally { sql(GRANT); }
  assert.deepEqual(verified(s.id), [6, null]);
});

test('T10 with the connection that hears notices cut again and again every event of the other appliance is heard', async (t) => {
  const s = await newSession();
  const heard = await followers(t, s);
  let cuts = 0;
  for (let n = 1; n <= 15 || cuts < 10; n++) {
    cuts += sql(CUT).length;
    await send(s, [partial(s.id, n)], b.url);
    cuts += sql(CUT).length;
    await heard(1 + n);
  }
});
