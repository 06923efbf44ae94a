// Two appliances on one PostgreSQL: whoever listens to either hears everything committed through both, once, in order.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { billed, history, ingestToken, kill, metricsUrl, newSession, partial, persistent, unique, until, url } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { sql, verified } from './database.mjs';
import { second, counted as figuresOf } from './second.mjs';

// The second one looks by itself so rarely that what it hears in time, it was told; the first one looks every second.
let b;
before(async () => {
  b = await second('node_poll_ms=60000');
  await until('both appliances to see each other', async () => {
    const [here, there] = [await figuresOf(metricsUrl), await b.figures()];
    return here('nodes') === 2 && there('nodes') === 2;
  }, 30);
});
after(() => b?.end());

const send = (s, at, events) => persistent('POST', '/v1/realtime/events', { token: ingestToken, body: events, at }, 60);

/** Listeners on both appliances, ready; gone with their test, however it ends. */
async function listening(t, s) {
  const both = [new Listener(s.token, s.id), new Listener(s.token, s.id, { at: b.url })];
  t.after(() => both.forEach((l) => l.close()));
  await Promise.all(both.map((l) => l.ready()));
  return both;
}

/** What is stored; after a fault the connection that reads may come back later than those that write. */
const stored = (s) => until('a replay', () => history(s.token, s.id).catch((e) => {
  if (e.message !== 'replay: 503') throw e;
}), 30);

async function heard(listeners, n, seconds = 60) {
  for (const l of listeners) {
    await l.reached(n, seconds);
    assert.deepEqual(l.sequences, counted(n), 'every event once, in order');
  }
}

/** And the database holds the same. */
async function heardAll(s, listeners, n, seconds) {
  await heard(listeners, n, seconds);
  assert.deepEqual((await stored(s)).map((e) => e.sequence), counted(n));
  assert.deepEqual(verified(s.id), [n, null]);
}

test('the second appliance is in a network of its own', { skip: process.getuid() !== 0 && 'not root' }, async () => {
  await assert.rejects(fetch(b.direct));
  assert.equal((await fetch(`${b.url}/health/ready`)).status, 200);
});

test('events sent to two appliances in turn are heard on both, gapless and in order', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  for (let i = 1; i <= 60; i++) {
    const r = await send(s, i % 2 ? url : b.url, counted(1 + (i % 3)).map((k) => partial(s.id, i * 10 + k)));
    assert.equal(r.status, 200, r.text);
  }
  await heardAll(s, listeners, 1 + 120);
});

test('a change of state made on one appliance is heard on the other', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  const r = await persistent('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'ended' }, at: b.url });
  assert.equal(r.status, 200, r.text);
  await heardAll(s, listeners, 4);
  assert.deepEqual(listeners[0].events.map((e) => e.type), ['call.started', 'call.ended', ...billed]);
});

test('a burst of events takes few notices, never more than commits, and none comes back to its sender', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  const before = await figuresOf(metricsUrl), there = await b.figures();
  const requests = counted(200).map((i) => send(s, url, counted(10).map((k) => partial(s.id, i * 100 + k))));
  for (const r of await Promise.all(requests)) assert.equal(r.status, 200, r.text);
  await heard(listeners, 2001);
  let now, then;
  await until('the figures', async () => {
    [now, then] = [await figuresOf(metricsUrl), await b.figures()];
    return now('events_appended_total') - before('events_appended_total') >= 2000
      && then('node_notices_received_total') - there('node_notices_received_total') >= 1;
  });
  const sent = now('node_notices_sent_total') - before('node_notices_sent_total');
  const commits = now('writer_batches_total') - before('writer_batches_total');
  assert.ok(sent >= 1 && sent <= commits, `${sent} notices for ${commits} commits`);
  assert.ok(sent <= 200, `${sent} notices for 2000 events`);
  assert.equal(now('node_notices_received_total'), before('node_notices_received_total'));
});

test('with notices that cannot be sent, polling alone carries every event', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  sql('REVOKE EXECUTE ON FUNCTION api.node_notify FROM "lifeos-writer"');
  try {
    const before = await figuresOf(metricsUrl), there = await b.figures();
    for (let i = 1; i <= 20; i++) await send(s, i % 2 ? url : b.url, [partial(s.id, i)]);
    await heardAll(s, listeners, 21); // the last one is the second appliance's: the first has to find it
    await until('the figures', async () => (await figuresOf(metricsUrl))('node_heads_polled_total') > before('node_heads_polled_total'));
    assert.equal((await b.figures())('node_notices_sent_total'), there('node_notices_sent_total'));
  } finally { sql('GRANT EXECUTE ON FUNCTION api.node_notify TO "lifeos-writer"'); }
});

test('what was committed while notices could not be sent is heard when they can be again', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  sql('REVOKE EXECUTE ON FUNCTION api.node_notify FROM "lifeos-writer"');
  try { await send(s, url, [partial(s.id, 1)]); } finally { sql('GRANT EXECUTE ON FUNCTION api.node_notify TO "lifeos-writer"'); }
  await heardAll(s, listeners, 2, 15);
});

const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lifeos-writer'
  AND query ~ 'api[.](node_|heads_moved)|^LISTEN'`;

test('what was committed while the appliances could neither hear nor tell is heard when they can again', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  sql('ALTER ROLE "lifeos-writer" NOLOGIN');
  try {
    assert.ok(sql(CUT).length >= 2);
    const r = await send(s, url, [partial(s.id, 1)]);
    assert.equal(r.status, 200, 'commits need none of it');
    await listeners[0].reached(2, 15);
    assert.deepEqual(listeners[1].sequences, [1]);
  } finally { sql('ALTER ROLE "lifeos-writer" LOGIN'); }
  await heardAll(s, listeners, 2, 15);
});

test('with the connections that hear and tell cut all the time, every event arrives', async (t) => {
  const s = await newSession();
  const listeners = await listening(t, s);
  let stop = false, cuts = 0;
  const cutting = (async () => {
    while (!stop) {
      cuts += sql(CUT).length;
      await wait(20);
    }
  })();
  try {
    for (let i = 1; i <= 40; i++) await send(s, i % 2 ? url : b.url, [partial(s.id, i)]);
    await until('some cuts', () => cuts >= 10, 60);
    await send(s, b.url, [partial(s.id, 41)]);
    stop = true;
    await cutting;
    await heardAll(s, listeners, 42);
  } finally { stop = true; await cutting; }
});

/** Appends to one appliance until told to stop, each event id until it is acknowledged. */
function publisher(s, at) {
  const acked = new Map(), name = unique('p');
  let stop = false, n = 0;
  const run = (async () => {
    while (!stop) {
      const r = await send(s, at, counted(1 + (n % 5)).map(() => partial(s.id, ++n, { eventId: `${name}-${n}` })));
      assert.equal(r.status, 200, r.text);
      for (const { event } of r.json.results ?? [r.json]) acked.set(event.eventId, event.sequence);
    }
  })();
  return { acked, end: async () => { stop = true; await run; } };
}

const victims = {
  'the first appliance\'s writer': () => kill('writer'),
  'the second appliance\'s writer': () => b.kill('writer'),
  'both writers at once': () => { kill('writer'); b.kill('writer'); },
  PostgreSQL: () => kill('postgres'),
};

for (const [victim, strike] of Object.entries(victims)) {
  test(`kill -9 of ${victim} three times under load: listeners of both hear all that was acknowledged, once`, async (t) => {
    const s = await newSession();
    const listeners = await listening(t, s);
    const publishers = [publisher(s, url), publisher(s, b.url)];
    const progress = async () => {
      const before = publishers.map((p) => p.acked.size);
      await until('progress', () => publishers.every((p, i) => p.acked.size > before[i]), 60);
    };
    for (let round = 0; round < 3; round++) {
      await progress();
      strike();
    }
    await progress();
    await Promise.all(publishers.map((p) => p.end()));
    const all = await stored(s);
    const at = new Map(all.map((e) => [e.eventId, e.sequence]));
    assert.equal(at.size, all.length, 'no event twice');
    for (const p of publishers)
      for (const [id, sequence] of p.acked) assert.equal(at.get(id), sequence, `${id} is where it was acknowledged`);
    await heardAll(s, listeners, all.length);
  });
}
