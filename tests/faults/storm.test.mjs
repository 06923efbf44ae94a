// Everybody comes back at once, while frontends die and events keep coming: each client hears each event once, in order.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { call, history, ingestToken, partial, persistent, unique, until, userToken } from '../contract/client.mjs';
import { counted } from '../contract/sse.mjs';
import { SseClient, Stream, WsClient } from './storm_clients.mjs';

// LIFEOS_STORM: 1 is the full size; LIFEOS_SEED repeats a run's choices.
const size = Number(process.env.LIFEOS_STORM ?? 0.1);
const seed = Number(process.env.LIFEOS_SEED ?? Math.floor(Math.random() * 2 ** 32));
const sessions = Math.max(4, Math.round(200 * size)), sse = Math.round(2000 * size), ws = Math.round(2000 * size);
const patience = 30 + 120 * size;
const users = 4, publishers = 4, perSocket = 2;
const run = promisify(execFile);
const killCommand = (process.env.LIFEOS_KILL_CMD ?? new URL('../stack', import.meta.url).pathname + ' kill').split(' ');

const upTo = (n) => [...Array(n).keys()];

/** mulberry32: the same numbers from the same seed. */
function numbers(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sessions of a few users, each user with his own token. */
async function streams() {
  const tokens = upTo(users).map(() => userToken(unique('user')));
  return Promise.all(upTo(sessions).map(async (i) => {
    const { status, json } = await call('POST', '/v1/call/sessions', { token: tokens[i % users], body: {} });
    assert.equal(status, 200);
    return new Stream(json.session.sessionId, tokens[i % users]);
  }));
}

/** Appends an event to each of its sessions, again and again; the same ones until they are acknowledged. */
function publisher(all, name) {
  const self = { batches: 0, stop: false };
  self.done = (async () => {
    for (let n = 1; !self.stop; n++) {
      const body = all.map((s, i) => partial(s.id, n, { eventId: `${name}-${n}-${i}` }));
      const r = await persistent('POST', '/v1/realtime/events', { token: ingestToken, body }, patience);
      assert.equal(r.status, 200, r.text);
      self.batches++;
    }
  })();
  return self;
}

/** kill -9 of a frontend; one that is just starting is waited for. */
const killed = (name) => until(`${name} to kill`, () => run(killCommand[0], [...killCommand.slice(1), name]).then(() => true, () => false));

function shuffled(list, random) {
  return list.map((x) => [random(), x]).sort(([a], [b]) => a - b).map(([, x]) => x);
}

test(`${sse} streams and ${ws} sockets on ${sessions} sessions are cut at once, frontends killed: all hear 1..n (seed ${seed})`, async (t) => {
  const random = numbers(seed), all = await streams();
  const some = (n, i) => upTo(n).map((k) => all[(i + k * users) % sessions]); // of one user
  const clients = [...upTo(sse).map((i) => new SseClient(all[i % sessions], random)),
    ...upTo(ws).map((i) => new WsClient(some(perSocket, i), random))];
  const ready = (what) => until(what, () => clients.every((c) => c.ready()), patience);
  t.after(() => clients.forEach((c) => c.stop()));
  await ready('all connected');

  const writers = upTo(publishers).map((w) => publisher(all.filter((_, i) => i % publishers === w), unique('storm')));
  const events = { cut: () => clients.forEach((c) => c.cut()), 'frontend@1': () => killed('frontend@1'), 'frontend@2': () => killed('frontend@2') };
  for (const what of shuffled(['cut', 'cut', 'frontend@1', 'frontend@2', 'frontend@1'], random)) {
    const batches = writers.map((w) => w.batches + 1 + Math.floor(random() * 6));
    await until('events committed', () => writers.every((w, i) => w.batches >= batches[i]), patience);
    await events[what]();
  }
  await ready('all back');
  writers.forEach((w) => { w.stop = true; });
  await Promise.all(writers.map((w) => w.done));

  const stored = await Promise.all(all.map((s) => history(s.token, s.id)));
  const heads = new Map(all.map((s, i) => [s.id, stored[i].length]));
  await until('all at the head', () => clients.some((c) => c.wrong.length) || clients.every((c) => c.reached(heads)), patience);
  assert.deepEqual(clients.flatMap((c) => c.wrong), [], 'no gap, nothing twice, nothing out of order');
  for (const [i, s] of all.entries()) {
    assert.deepEqual(stored[i].map((e) => e.sequence), counted(stored[i].length), 'the database has no gap');
    assert.deepEqual([...s.at], stored[i].map((e) => [e.sequence, e.eventId]), 'what was heard is what is stored');
  }
  for (const c of clients) for (const [id, n] of c.cursors) assert.equal(n, heads.get(id));
  t.diagnostic(`${[...heads.values()].reduce((a, b) => a + b)} events; ${clients.reduce((a, c) => a + c.connections, 0)} connections`);
});
