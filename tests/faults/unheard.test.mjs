// Committed, but the connection broke before the writer heard of it: done once, answered right, told to listeners.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { append, billed, call, history, livekitKey, livekitSecret, newSession, partial, persistent, unique } from '../contract/client.mjs';
import { Listener, counted } from '../contract/sse.mjs';
import { Socket } from '../contract/ws.mjs';
import { committedUnheard, sql, verified } from './database.mjs';

function hook(session) {
  const at = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    event: 'participant_joined', id: `EV_${unique('t')}`, createdAt: String(at), room: { sid: 'RM_1', name: `lk_room_${session}` },
    participant: { sid: 'PA_1', identity: 'someone', state: 'ACTIVE', joinedAt: String(at) },
  });
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const claims = { iss: livekitKey, nbf: at - 10, exp: at + 300, sha256: createHash('sha256').update(body).digest('base64') };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  const authorization = `${signed}.${createHmac('sha256', livekitSecret).update(signed).digest('base64url')}`;
  return call('POST', '/v1/providers/livekit/webhook', { raw: body, headers: { 'content-type': 'application/webhook+json', authorization } });
}

const ways = {
  'a webhook': { act: (s) => hook(s.id), adds: ['call.connected'] },
  'a change of state': {
    act: (s) => call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'ended' } }),
    adds: ['call.ended', ...billed],
    check: (r) => assert.equal(r.json.idempotentReplay, false, 'the first answer, not one to a repeat'),
  },
  'an event': {
    act: (s) => append(partial(s.id, 1)),
    adds: ['transcript.partial'],
    check: (r) => assert.equal(r.json.event.sequence, 2),
  },
  'a client that comes back': {
    act: (s) => call('POST', `/v1/call/sessions/${s.id}/reconnect`, { token: s.token, body: { resumeToken: s.session.resumeToken } }),
    adds: ['call.reconnecting'],
    check: (r) => assert.match(r.json.session.resumeToken, /^resume_/, 'the token it has to have'),
  },
  'a checkpoint': {
    act: (s) => call('POST', `/v1/realtime/sessions/${s.id}/checkpoint`, { token: s.token, body: { consumerId: 'c', watermarkSequence: 1 } }),
    adds: [],
    check: (r) => assert.equal(r.json.checkpoint.watermarkSequence, 1),
  },
  'events on two streams': {
    act: (s, other) => append([partial(s.id, 1), partial(other.id, 1), partial(s.id, 2)]),
    adds: ['transcript.partial', 'transcript.partial'],
    check: (r) => assert.deepEqual(r.json.results.map((x) => x.event.sequence), [2, 2, 3]),
  },
};

for (const [what, { act, adds, check }] of Object.entries(ways)) {
  test(`${what}, committed as the database connection broke, is done once, answered, and heard by listeners`, async () => {
    const s = await newSession(), other = await newSession();
    const listener = new Listener(s.token, s.id);
    await listener.ready();
    await listener.reached(1);
    const r = await committedUnheard(() => act(s, other));
    assert.equal(r.status, 200, r.text);
    check?.(r);
    await listener.reached(1 + adds.length);
    listener.close();
    assert.deepEqual(listener.sequences, counted(1 + adds.length));
    assert.deepEqual((await history(s.token, s.id)).map((e) => e.type), ['call.started', ...adds]);
    assert.deepEqual(verified(s.id), [1 + adds.length, null]);
  });
}

test('a create, committed as the database connection broke, makes one session, and its repeat gets the same answer', async () => {
  const s = await newSession();
  const key = unique('key');
  const create = () => call('POST', '/v1/call/sessions', { token: s.token, body: {}, headers: { 'idempotency-key': key } });
  const first = await committedUnheard(create);
  assert.equal(first.status, 200, first.text);
  assert.deepEqual((await create()).json, first.json);
  assert.equal(Number(sql(`SELECT count(*) FROM lifeos.call_session WHERE user_id = '${s.user}'`)[0][0]), 2);
});

test('a token that changed hands while the database went away is not lost: the old one gets the new one when it is back', async () => {
  const s = await newSession();
  const back = (resumeToken) => call('POST', `/v1/call/sessions/${s.id}/reconnect`, { token: s.token, body: { resumeToken } });
  const lost = await committedUnheard(() => back(s.session.resumeToken), { away: true });
  assert.deepEqual([lost.status, lost.json.retryable], [503, true], lost.text);
  const again = await persistent('POST', `/v1/call/sessions/${s.id}/reconnect`, { token: s.token, body: { resumeToken: s.session.resumeToken } });
  assert.equal(again.status, 200, again.text);
  assert.equal((await back(again.json.session.resumeToken)).status, 200);
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.type), ['call.started', 'call.reconnecting', 'call.reconnecting']);
});

test('a socket that resumes and acknowledges as the database connection breaks has its token and its place', async () => {
  const s = await newSession();
  const so = await Socket.open({ token: s.token });
  const began = await committedUnheard(() => {
    so.send({ op: 'subscribe', sessionId: s.id, resumeToken: s.session.resumeToken });
    return so.next('subscribed');
  });
  assert.match(began.resumeToken, /^resume_/);
  await so.reached(s.id, 2);
  await committedUnheard(() => {
    for (const sequence of [1, 2]) so.send({ op: 'ack', sessionId: s.id, sequence });
    return so.next('acked');
  });
  await so.until(() => so.messages.some((m) => m.op === 'acked' && m.sequence === 2));
  so.close();
  assert.deepEqual(so.sequences(s.id), [1, 2]);
  assert.deepEqual(sql(`SELECT sequence FROM lifeos.checkpoint WHERE session_id = '${s.id}'`), [['2']]);
});

test('what was committed as the database went away for longer than the writer waits is still heard by listeners', async () => {
  const s = await newSession();
  const listener = new Listener(s.token, s.id);
  await listener.ready();
  await listener.reached(1);
  const r = await committedUnheard(() => append(partial(s.id, 1)), { away: true });
  assert.deepEqual([r.status, r.json.retryable], [503, true], r.text);
  await listener.reached(2); // its emitter never comes back
  listener.close();
  assert.deepEqual(listener.sequences, [1, 2]);
  assert.deepEqual(verified(s.id), [2, null]);
});
