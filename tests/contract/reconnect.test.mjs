// Coming back: resume tokens that change hands, checkpoints that never fall, and rights that end while one listens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, billed, call, history, ingestToken, newSession, partial, replay, unique, userToken } from './client.mjs';
import { sql } from '../faults/database.mjs';
import { Listener } from './sse.mjs';

const reconnect = (s, resumeToken, more = {}, headers = {}) =>
  call('POST', `/v1/call/sessions/${s.id}/reconnect`, { token: s.token, headers, body: { resumeToken, ...more } });
const checkpoint = (s, consumerId, more, token = s.token) =>
  call('POST', `/v1/realtime/sessions/${s.id}/checkpoint`, { token, body: { consumerId, ...more } });
const is = (r, status, code) => assert.deepEqual([r.status, r.json?.code], [status, code], r.text);

/** As if so long had passed without a sign of life. */
const age = (s, ms) => sql(`UPDATE lifeos.call_session SET resume_valid_until = resume_valid_until - ${ms} * 1000,
  seen_at = seen_at - ${ms} * 1000 WHERE session_id = '${s.id}'`);

test('a client that comes back gets a new token, what it missed, and the words so far', async () => {
  const s = await newSession();
  await append([1, 2, 3, 4].map((n) => partial(s.id, n)));
  const r = await reconnect(s, s.session.resumeToken, { lastAckSequence: 2, userId: s.user });
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.ok, true);
  assert.equal(r.json.live, true);
  assert.match(r.json.session.resumeToken, /^resume_[0-9a-f]{64}$/);
  assert.notEqual(r.json.session.resumeToken, s.session.resumeToken);
  assert.equal(r.json.session.lastAckSequence, 2);
  const { replay: page } = r.json;
  assert.deepEqual(page.events.map((e) => e.sequence), [3, 4, 5, 6]);
  assert.deepEqual(page.events, (await history(s.token, s.id)).slice(2), 'the events are those of a replay');
  assert.deepEqual([page.fromSequence, page.latestSequence, page.nextCursor, page.hasMore], [2, 6, 6, false]);
  assert.equal(page.transcriptState.length, 4, 'of the whole call, not of the page');
  const told = page.events.at(-1);
  assert.equal(told.type, 'call.reconnecting');
  assert.equal(told.payload.callId, s.id);
  assert.equal(told.payload.attempt, 1);
  assert.equal(told.payload.reason, 'resume_requested');
});

test('a lost answer costs nothing: the old token gets the same new one again, with any key, and one event is told', async () => {
  const s = await newSession();
  const key = unique('key');
  const lost = await reconnect(s, s.session.resumeToken, {}, { 'idempotency-key': key });
  for (const headers of [{ 'idempotency-key': key }, { 'idempotency-key': unique('other') }, {}]) {
    const again = await reconnect(s, s.session.resumeToken, {}, headers);
    assert.equal(again.status, 200);
    assert.equal(again.json.session.resumeToken, lost.json.session.resumeToken);
    assert.deepEqual(again.json.replay.events, lost.json.replay.events);
  }
  is(await reconnect(s, s.session.resumeToken, { limit: 7 }, { 'idempotency-key': key }), 409, 'IDEMPOTENCY_CONFLICT');
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.type), ['call.started', 'call.reconnecting']);
});

test('many that come back with one token at once are one', async () => {
  const s = await newSession();
  const all = await Promise.all(Array.from({ length: 12 }, () => reconnect(s, s.session.resumeToken)));
  assert.deepEqual([...new Set(all.map((r) => r.status))], [200]);
  assert.equal(new Set(all.map((r) => r.json.session.resumeToken)).size, 1);
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.type), ['call.started', 'call.reconnecting']);
});

test('the new token is used up like the old one; what came before it is worth nothing', async () => {
  const s = await newSession();
  const t1 = (await reconnect(s, s.session.resumeToken)).json.session.resumeToken;
  const t2 = (await reconnect(s, t1)).json.session.resumeToken;
  is(await reconnect(s, s.session.resumeToken), 403, 'INVALID_RESUME_TOKEN');
  assert.equal((await reconnect(s, t1)).json.session.resumeToken, t2);
  const r = await reconnect(s, t2);
  assert.deepEqual(r.json.replay.events.filter((e) => e.type === 'call.reconnecting').map((e) => e.payload.attempt), [1, 2, 3]);
});

test('a wrong token, an ack from the future and a missing field change nothing', async () => {
  const s = await newSession();
  is(await reconnect(s, 'resume_guess'), 403, 'INVALID_RESUME_TOKEN');
  is(await reconnect(s, s.session.resumeToken, { lastAckSequence: 2 }), 409, 'CURSOR_AHEAD');
  is(await reconnect(s, undefined), 400, 'INVALID_REQUEST');
  is(await reconnect(s, s.session.resumeToken, { userId: 'somebody' }), 403, 'CROSS_USER_FORBIDDEN');
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.type), ['call.started']);
  assert.equal((await reconnect(s, s.session.resumeToken)).status, 200, 'the token is still good');
});

test('who does not come back in time is late, and every sign of life gives the whole window anew', async () => {
  const s = await newSession({ reconnectWindowMs: 10000 });
  age(s, 8000);
  assert.equal((await checkpoint(s, 'c', { watermarkSequence: 1 })).status, 200);
  age(s, 8000);
  const r = await reconnect(s, s.session.resumeToken);
  assert.equal(r.status, 200, 'a checkpoint is a sign of life');
  age(s, 8000);
  const t2 = (await reconnect(s, r.json.session.resumeToken)).json.session.resumeToken;
  assert.match(t2, /^resume_/, 'so is a reconnect');
  age(s, 10001);
  is(await reconnect(s, t2), 410, 'RECONNECT_WINDOW_EXPIRED');
  is(await reconnect(s, t2), 410, 'RECONNECT_WINDOW_EXPIRED');
  assert.deepEqual(sql(`SELECT count(*) FROM lifeos.audit WHERE stream_id = '${s.id}' AND outcome = 'RECONNECT_WINDOW_EXPIRED'`), [['1']]);
  assert.equal((await replay(s.token, s.id)).status, 200, 'it can still be read');
});

test('a call that is over is told to who comes back, to the end, without an event', async () => {
  const s = await newSession();
  await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'ended' } });
  age(s, 1000000);
  const r = await reconnect(s, s.session.resumeToken, { lastAckSequence: 1 });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual([r.json.live, r.json.session.status, r.json.session.resumeToken], [false, 'ended', null]);
  assert.deepEqual(r.json.replay.events.map((e) => e.type), ['call.ended', ...billed]);
  is(await reconnect(s, 'resume_guess'), 403, 'INVALID_RESUME_TOKEN');
  assert.equal((await history(s.token, s.id)).length, 4);
});

test('a stranger with the token finds no session; an admin of the account may not come back as somebody else', async () => {
  const account = unique('acme'), user = unique('m');
  const s = { token: userToken(user, { account, role: 'member' }) };
  const made = await call('POST', '/v1/call/sessions', { token: s.token, body: {} });
  s.id = made.json.session.sessionId;
  const { resumeToken } = made.json.session;
  const as = (token, id = s.id) => reconnect({ id, token }, resumeToken);
  const stranger = userToken(unique('stranger'));
  is(await as(stranger), 404, 'SESSION_NOT_FOUND');
  is(await as(stranger, 'sess_0000000000000000'), 404, 'SESSION_NOT_FOUND');
  is(await as(userToken(unique('boss'), { account, role: 'admin' })), 403, 'FORBIDDEN');
  is(await as(ingestToken), 403, 'FORBIDDEN');
  assert.equal((await as(s.token)).status, 200);
});

test('checkpoints move forward only, each consumer by itself, and a consumer goes on from its own', async () => {
  const s = await newSession();
  await append([1, 2, 3, 4].map((n) => partial(s.id, n)));
  const events = await history(s.token, s.id);
  const reason = async (...a) => (await checkpoint(s, ...a)).json.ackUpdate.reason;
  assert.equal(await reason('phone', { watermarkSequence: 3 }), 'advanced_sequence');
  assert.equal(await reason('phone', { watermarkSequence: 3 }), 'equal_sequence_idempotent');
  assert.equal(await reason('phone', { watermarkSequence: 1 }), 'stale_sequence_ignored');
  assert.equal(await reason('desk', { watermarkEventId: events[1].eventId, watermarkTimestamp: events[1].ts }), 'advanced_sequence');
  const r = await checkpoint(s, 'desk', { watermarkSequence: 1 });
  assert.deepEqual(r.json, { ok: true,
    checkpoint: { sessionId: s.id, consumerId: 'desk', watermarkTs: events[1].ts, watermarkTimestamp: events[1].ts,
      watermarkEventId: events[1].eventId, watermarkSequence: 2, updatedAtMs: r.json.checkpoint.updatedAtMs },
    ackUpdate: { attempted: true, applied: false, ignored: true, reason: 'stale_sequence_ignored' },
    sessionAck: { sequence: 3, timestamp: events[2].ts, eventId: events[2].eventId }, latestSequence: 5 });
  const first = async (query) => (await replay(s.token, s.id, query)).json.events[0].sequence;
  assert.equal(await first('?consumerId=phone'), 4);
  assert.equal(await first('?consumerId=desk'), 3);
  assert.equal(await first('?consumerId=desk&afterSequence=0'), 1);
  assert.equal(await first('?consumerId=nobody'), 1);
  assert.equal(await first(''), 1, 'an ack is not a cursor');
  for (const [consumer, from, headers] of [['phone', 4, {}], ['desk', 3, {}], ['nobody', 1, {}], ['phone', 2, { 'last-event-id': '1' }]]) {
    const l = new Listener(s.token, s.id, { consumer, headers });
    await l.reached(5);
    assert.equal(l.sequences[0], from, `live, ${consumer}`);
    l.close();
  }
});

test('a checkpoint beyond the end, of an unknown event, of nothing or by a stranger is refused by name', async () => {
  const s = await newSession();
  is(await checkpoint(s, 'c', { watermarkSequence: 2 }), 409, 'CURSOR_AHEAD');
  const unknown = await checkpoint(s, 'c', { watermarkEventId: 'evt_nope' });
  is(unknown, 400, 'INVALID_REQUEST');
  assert.match(unknown.json.message, /watermarkEventId/);
  const nothing = await checkpoint(s, 'c', {});
  is(nothing, 400, 'INVALID_REQUEST');
  assert.match(nothing.json.message, /watermarkSequence/);
  is(await checkpoint(s, undefined, { watermarkSequence: 1 }), 400, 'INVALID_REQUEST');
  is(await checkpoint(s, 'c', { watermarkSequence: 1 }, userToken(unique('stranger'))), 404, 'SESSION_NOT_FOUND');
  is(await call('POST', `/v1/realtime/sessions/${s.id}/checkpoint`, { body: { consumerId: 'c', watermarkSequence: 1 } }), 401, 'AUTH_REQUIRED');
  assert.equal((await replay(s.token, s.id)).json.resume.lastAckSequence, null);
});

test('checkpoints that overtake each other end at the highest', async () => {
  const s = await newSession();
  await append(Array.from({ length: 40 }, (_, n) => partial(s.id, n)));
  const all = await Promise.all(Array.from({ length: 41 }, (_, n) => checkpoint(s, 'c', { watermarkSequence: (n * 7) % 41 + 1 })));
  assert.ok(all.every((r) => r.status === 200));
  assert.equal((await checkpoint(s, 'c', { watermarkSequence: 0 })).json.checkpoint.watermarkSequence, 41);
  assert.equal((await replay(s.token, s.id)).json.resume.lastAckSequence, 41);
});

test('a suspended account reads, resumes and acknowledges nothing from that moment on', async () => {
  const s = await newSession();
  assert.equal((await replay(s.token, s.id)).status, 200);
  sql(`UPDATE lifeos.account SET status = 'suspended' WHERE account_id = '${s.user}'`);
  is(await replay(s.token, s.id), 403, 'ACCOUNT_SUSPENDED');
  is(await reconnect(s, s.session.resumeToken), 403, 'ACCOUNT_SUSPENDED');
  is(await checkpoint(s, 'c', { watermarkSequence: 1 }), 403, 'ACCOUNT_SUSPENDED');
  is(await call('GET', `/v1/realtime/sessions/${s.id}/events`, { token: s.token, headers: { accept: 'text/event-stream' } }), 403, 'ACCOUNT_SUSPENDED');
  sql(`UPDATE lifeos.account SET status = 'active' WHERE account_id = '${s.user}'`);
  assert.equal((await reconnect(s, s.session.resumeToken)).status, 200);
});

test('a revoked or outlived key reads nothing from that moment on, whoever still remembers it', async () => {
  const s = await newSession();
  const [, known, secret] = /^lok_([a-z0-9]+)_(.+)$/.exec(ingestToken);
  for (const column of ['revoked_at', 'expires_at']) {
    const id = unique('k').replace(/[^a-z0-9]/g, '').slice(0, 16);
    sql(`INSERT INTO lifeos.api_key (key_id, account_id, scope, secret_hash, created_at)
         SELECT '${id}', account_id, scope, secret_hash, 0 FROM lifeos.api_key WHERE key_id = '${known}'`);
    const key = `lok_${id}_${secret}`;
    for (let n = 0; n < 8; n++) assert.equal((await replay(key, s.id)).status, 200);
    sql(`UPDATE lifeos.api_key SET ${column} = 1 WHERE key_id = '${id}'`);
    for (let n = 0; n < 8; n++) assert.equal((await replay(key, s.id)).status, 401, 'a frontend may know it, another not');
    const r = await checkpoint(s, 'c', { watermarkSequence: 1 }, key);
    assert.equal(r.status, 401);
    assert.match(r.json.code, /^AUTH_(INVALID|EXPIRED)$/);
  }
});
