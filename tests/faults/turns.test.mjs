// kill -9 in the middle of turns and actions, whatever and whenever: what was acknowledged is there, what is done is done
// once, and the conversation goes on. Each round kills at another moment, with turns in every state.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { asked, fake, messages, newCall, scripted, turn } from '../contract/ai.mjs';
import { call, history, kill, operator, unique, until, url, userToken } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { sql, verified } from './database.mjs';

const account = unique('acct');
let token;
before(() => {
  operator('account', 'set', account, '--delivery-url', 'https://hooks.example.com/outreach');
  token = userToken(`${account}-owner`, { account, role: 'owner' });
});

const words = Array.from({ length: 12 }, (_, i) => `word${i} `);
const whole = words.join('').trim();

/** Asks until there is an answer that is this turn's own: the same request, with the same key. */
const repeated = (ask) => until('an answer', async () => {
  try {
    const r = await ask();
    return r.status === 502 || (r.status === 503 && !['TURN_INTERRUPTED', 'AI_CUT_OFF', 'AI_UNREACHABLE'].includes(r.json?.code)) || r.json?.code === 'TURN_BUSY' ? undefined : r;
  } catch { return undefined; }
}, 60);

const sweep = () => new Promise((done, fail) => {
  execFile(new URL('../stack', import.meta.url).pathname, ['sweep'], (error) => (error ? fail(error) : done()));
});

/** What must hold of a conversation after anything. Returns its events. */
async function sound(s) {
  const events = await history(s.token, s.id);
  assert.deepEqual(events.map((e) => e.sequence), counted(events.length), 'gapless');
  assert.equal(new Set(events.map((e) => e.eventId)).size, events.length);
  assert.deepEqual(verified(s.id), [events.length, null]);
  return events;
}

/** Once, and as it was answered: the words of the user, and of the agent all of them, or cut where they were cut. */
async function told(s, text, r) {
  const events = await sound(s);
  const finals = events.filter((e) => e.type === 'transcript.final').map((e) => e.payload);
  const stored = await messages(s);
  assert.deepEqual(finals.filter((p) => p.speaker === 'user').map((p) => p.text), [text], 'his words, once');
  assert.deepEqual(stored.filter((m) => m.role === 'user').map((m) => [m.content, m.state]), [[text, 'complete']]);
  const deltas = events.filter((e) => e.type === 'transcript.delta').map((e) => e.payload);
  const said = finals.filter((p) => p.speaker === 'agent');
  const answers = stored.filter((m) => m.role === 'assistant');
  let at = 0;
  for (const d of deltas) {
    assert.equal(d.offset, at, 'every word once, in its place');
    at += Buffer.byteLength(d.text);
  }
  if (r.status === 200) {
    assert.deepEqual([said.map((p) => [p.text, p.cut ?? false]), answers.map((m) => [m.content, m.state])], [[[whole, false]], [[whole, 'complete']]]);
    assert.equal(r.json.text.content, whole);
    for (const e of r.json.events) assert.deepEqual(events[e.sequence - 1], e, 'what was acknowledged is there');
    return 'completed';
  }
  const heard = deltas.map((d) => d.text).join('');
  assert.ok(whole.startsWith(heard));
  assert.deepEqual([said.map((p) => [p.text, p.cut]), answers.map((m) => [m.content, m.state])], heard ? [[[heard, true]], [[heard, 'cut']]] : [[], []]);
  assert.equal(events.filter((e) => e.type === 'call.error').length, 1);
  assert.equal(events.findLast((e) => e.type === 'call.error').payload.code, r.json.code);
  return r.json.code;
}

/** Turns in every state while this dies; then each is asked for again until it is answered. */
async function rounds(victim, { calls, expires = false }) {
  const began = await Promise.all(counted(calls).map(() => newCall(token)));
  const listener = new Listener(token, began[0].id);
  await listener.ready();
  const turns = began.map(async (s, n) => {
    const mark = unique('turn');
    const text = `${mark} ${fake({ deltas: words, delayMs: 70, firstMs: 20 })}`;
    const headers = { 'idempotency-key': mark };
    await wait(n * 70); // the first is nearly done when the last has not begun
    const r = await repeated(() => turn(s, text, {}, { headers }));
    return { s, text, mark, headers, r };
  });
  await wait(calls * 70 - 150);
  kill(victim);
  // As if the lease of whoever died were over.
  if (expires) sql(`UPDATE lifeos.turn SET lease_until = began_at WHERE status = 'running' AND account_id = '${account}'`);
  const done = await Promise.all(turns);
  const outcomes = [];
  for (const { s, text, mark, headers, r } of done) {
    assert.equal((await repeated(() => turn(s, text, {}, { headers }))).text.replace(/"(request|trace)Id":"[^"]*"/g, ''), r.text.replace(/"(request|trace)Id":"[^"]*"/g, ''), 'and the same once more');
    outcomes.push(await told(s, text, r));
    if (!expires) assert.equal((await asked(mark)).filter((e) => e.said.includes(mark)).length, 1, 'the gateway was asked once');
    const next = await repeated(() => turn(s, fake({ text: 'Go on.' })));
    assert.deepEqual([next.status, next.json.text?.content], [200, 'Go on.'], 'the conversation is not blocked');
  }
  await listener.reached((await history(token, began[0].id)).length, 30);
  assert.deepEqual(listener.sequences, counted(listener.sequences.length), 'who listens heard it all, once');
  listener.close();
  return outcomes;
}

/* The others lose nothing that began; half an answer whose runner died is not gone on from. */
for (const [victim, options] of [['writer', { calls: 14 }], ['frontend@1', { calls: 14 }], ['frontend@2', { calls: 14 }], ['postgres', { calls: 14 }], ['openclaw', { calls: 14, expires: true }]])
  test(`kill -9 of ${victim} with turns in every state: each has one end, and all its words`, scripted, async (t) => {
    const outcomes = await rounds(victim, options);
    t.diagnostic(outcomes.join(' '));
    if (victim !== 'openclaw') assert.ok(outcomes.every((o) => o === 'completed'), 'nothing that began was lost');
    assert.ok(outcomes.every((o) => o === 'completed' || o === 'TURN_INTERRUPTED'));
  });

test('what a killed process left is ended by the sweep: cut where it was, and the conversation goes on', scripted, async () => {
  const begun = await Promise.all(counted(4).map(async (n) => {
    const s = await newCall(token);
    const text = fake({ deltas: words, delayMs: 100, firstMs: n > 2 ? 20 : 5000 });
    const gone = turn(s, text).catch(() => {});
    await until('its beginning', async () => (await history(s.token, s.id)).some((e) => e.type === (n > 2 ? 'transcript.delta' : 'transcript.final')));
    return { s, text, gone };
  }));
  // At one moment: a frontend that still waited would have it taken over.
  for (const name of ['frontend@1', 'frontend@2', 'openclaw'])
    process.kill(Number(readFileSync(`${process.env.LIFEOS_STACK_DIR}/pids/${name}`, 'utf8').split(' ')[0]), 'SIGKILL');
  await Promise.all(begun.map((b) => b.gone));
  const ids = begun.map(({ s }) => `'${s.id}'`).join();
  sql(`UPDATE lifeos.turn SET lease_until = began_at WHERE conversation_id IN (${ids})`);
  await Promise.all([sweep(), sweep()]);
  await until('a frontend', () => call('GET', '/health/ready').then((r) => r.status === 200, () => false));
  for (const { s, text } of begun) {
    assert.equal(await told(s, text, { status: 503, json: { code: 'TURN_INTERRUPTED' } }), 'TURN_INTERRUPTED');
    assert.equal((await repeated(() => turn(s, fake({ text: 'Go on.' })))).json.text.content, 'Go on.');
  }
});

test('a stream whose frontend or runner dies is asked for again with its key, and ends as the turn did', scripted, async () => {
  for (const victims of [['frontend@1', 'frontend@2'], ['openclaw']]) {
    const mark = unique('chat');
    const body = { conversationId: unique('conv'), messages: [{ role: 'user', content: `${mark} ${fake({ deltas: words, delayMs: 200 })}` }] };
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': mark };
    const ask = async () => (await fetch(`${url}/v1/chat/stream`, { method: 'POST', headers, body: JSON.stringify(body) })).text();
    const first = ask().catch(() => '');
    const s = { id: body.conversationId, token };
    await until('some words', async () => (await call('GET', `/v1/realtime/sessions/${s.id}/events?afterSequence=0`, { token })).json?.events?.some((e) => e.type === 'transcript.delta'));
    victims.forEach(kill);
    sql(`UPDATE lifeos.turn SET lease_until = began_at WHERE conversation_id = '${s.id}' AND ${victims[0] === 'openclaw'}`);
    await first;
    const last = await until('the end of the stream', async () => {
      const text = await ask().catch(() => '');
      return /"type":"done"/.test(text) && !/"code":"(OPENCLAW_UNAVAILABLE|WRITER_UNAVAILABLE|TURN_BUSY|NOT_READY)"/.test(text) && text;
    }, 30);
    const events = await sound(s);
    const final = events.findLast((e) => e.type === 'transcript.final').payload;
    const frames = last.split('\n').filter((l) => l.startsWith('data: ')).map((l) => JSON.parse(l.slice(6)));
    assert.equal(events.filter((e) => e.type === 'transcript.final').length, 2);
    if (victims[0] === 'openclaw') {
      assert.deepEqual([frames.find((f) => f.type === 'error').payload.code, final.cut], ['TURN_INTERRUPTED', true]);
      assert.ok(whole.startsWith(final.text) && final.text.length > 0);
    } else {
      assert.deepEqual([frames.find((f) => f.type === 'text.done').payload.fullText, final.text, final.cut], [whole, whole, undefined]);
      assert.equal((await asked(mark)).length, 1, 'the gateway was asked once');
    }
    const heard = frames.filter((f) => f.type === 'text.delta').map((f) => f.payload.delta).join('');
    assert.equal(heard, final.text, 'and all of it is told');
  }
});
