// Call sessions: created, listed, read, moved through their life; strangers see nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { billed, call, history, newSession, unique, userToken } from './client.mjs';

const state = (s, status, more = {}) =>
  call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status, ...more } });

test('a new session is created, owned by its caller, and tells it once its resume token', async () => {
  const s = await newSession({ metadata: { voicePersona: 'both' } });
  assert.equal(s.session.status, 'created');
  assert.equal(s.session.userId, s.user);
  assert.equal(s.session.reconnectWindowMs, 120000);
  assert.equal(s.session.metadata.voicePersona, 'both');
  assert.ok(s.session.resumeToken.length >= 32);
  const read = await call('GET', `/v1/call/sessions/${s.id}`, { token: s.token });
  assert.equal(read.status, 200);
  assert.equal(read.json.session.resumeToken, null, 'stored hashed, never read again');
  const events = await history(s.token, s.id);
  assert.deepEqual(events.map((e) => e.type), ['call.started']);
});

test('a repeated create with the same Idempotency-Key answers the first result', async () => {
  const token = userToken(unique('user'));
  const headers = { 'idempotency-key': unique('key') };
  const a = await call('POST', '/v1/call/sessions', { token, headers, body: { metadata: { n: 1 } } });
  const b = await call('POST', '/v1/call/sessions', { token, headers, body: { metadata: { n: 1 } } });
  assert.equal(a.status, 200);
  assert.deepEqual(b.json, a.json);
  const c = await call('POST', '/v1/call/sessions', { token, headers, body: { metadata: { n: 2 } } });
  assert.equal(c.status, 409);
  assert.equal(c.json.code, 'IDEMPOTENCY_CONFLICT');
});

test('the life of a call: every allowed step, every refused one', async () => {
  const allowed = new Set(['created>active', 'created>ended', 'created>failed', 'active>ended', 'active>failed']);
  const reach = { created: [], active: ['active'], ended: ['active', 'ended'], failed: ['active', 'failed'] };
  for (const [from, path] of Object.entries(reach)) {
    for (const to of ['created', 'active', 'ended', 'failed']) {
      const s = await newSession();
      for (const step of path) assert.equal((await state(s, step)).status, 200);
      const r = await state(s, to);
      if (from === to) {
        assert.equal(r.status, 200, `${from}>${to}`);
        assert.equal(r.json.idempotentReplay, true);
      } else if (allowed.has(`${from}>${to}`)) {
        assert.equal(r.status, 200, `${from}>${to}`);
        assert.equal(r.json.session.status, to);
        assert.equal(r.json.idempotentReplay, false);
      } else {
        assert.equal(r.status, 409, `${from}>${to}`);
        assert.equal(r.json.code, 'INVALID_TRANSITION');
        assert.equal(r.json.message, `Invalid transition from ${from} to ${to}`);
      }
    }
  }
});

test('a call from start to end writes its story once, in order', async () => {
  const s = await newSession();
  await state(s, 'active');
  await state(s, 'active');
  await state(s, 'ended');
  await state(s, 'ended');
  const events = await history(s.token, s.id);
  assert.deepEqual(events.map((e) => e.type), ['call.started', 'call.connected', 'call.ended', ...billed]);
  assert.deepEqual(events.map((e) => e.sequence), [1, 2, 3, 4, 5]);
  assert.equal(events[2].payload.endReason, 'completed');
});

test('a failed call says why, in two events, and is metered as failed', async () => {
  const s = await newSession();
  const r = await state(s, 'failed', { error: 'microphone broke' });
  assert.equal(r.json.session.lastError, 'microphone broke');
  const events = await history(s.token, s.id);
  assert.deepEqual(events.map((e) => e.type), ['call.started', 'call.error', 'call.terminal_failure', ...billed]);
});

test('provider ids are fixed once the call is active', async () => {
  const s = await newSession();
  const first = await state(s, 'active', { providerCallId: 'call-1' });
  assert.equal(first.json.session.providerCallId, 'call-1');
  assert.equal(first.json.session.providerRoomId, `lk_room_${s.id}`);
  const other = await state(s, 'active', { providerCallId: 'call-2' });
  assert.equal(other.status, 409);
  assert.equal(other.json.code, 'PROVIDER_CORRELATION_MISMATCH');
});

test('a stranger cannot tell a foreign session from a missing one', async () => {
  const s = await newSession();
  const stranger = userToken(unique('stranger'));
  for (const [method, path, body] of [
    ['GET', `/v1/call/sessions/ID`],
    ['POST', `/v1/call/sessions/ID/state`, { status: 'ended' }],
    ['POST', `/v1/call/sessions/ID/livekit/token`, {}],
    ['GET', `/v1/realtime/sessions/ID/events`],
  ]) {
    const foreign = await call(method, path.replace('ID', s.id), { token: stranger, body });
    const missing = await call(method, path.replace('ID', 'sess_0000000000000000'), { token: stranger, body });
    assert.equal(foreign.status, 404, path);
    const strip = ({ code, message, retryable, ok }) => ({ code, message, retryable, ok });
    assert.deepEqual(strip(foreign.json), strip(missing.json), path);
  }
});

test('in one account: the owner may act on a member\'s call, a viewer only looks, a member minds his own', async () => {
  const account = unique('acme');
  const member = userToken(unique('m'), { account, role: 'member' });
  const made = await call('POST', '/v1/call/sessions', { token: member, body: {} });
  const id = made.json.session.sessionId;
  const as = (role) => userToken(unique(role), { account, role });
  assert.equal((await call('GET', `/v1/call/sessions/${id}`, { token: as('viewer') })).status, 200);
  const viewer = await call('POST', `/v1/call/sessions/${id}/state`, { token: as('viewer'), body: { status: 'active' } });
  assert.equal(viewer.status, 403);
  assert.equal(viewer.json.code, 'FORBIDDEN');
  assert.equal((await call('GET', `/v1/call/sessions/${id}`, { token: as('member') })).status, 403);
  assert.equal((await call('POST', `/v1/call/sessions/${id}/state`, { token: as('owner'), body: { status: 'active' } })).status, 200);
});

test('the list is newest first, only mine, and pages to its end', async () => {
  const token = userToken(unique('lister'));
  const made = [];
  for (let i = 0; i < 5; i++) made.unshift((await call('POST', '/v1/call/sessions', { token, body: {} })).json.session.sessionId);
  const seen = [];
  for (let cursor; ;) {
    const q = `?limit=2${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const { status, json } = await call('GET', `/v1/call/sessions${q}`, { token });
    assert.equal(status, 200);
    assert.ok(json.sessions.length <= 2);
    seen.push(...json.sessions.map((s) => s.sessionId));
    if (!json.page.hasMore) break;
    cursor = json.page.nextCursor;
  }
  assert.deepEqual(seen, made);
});

test('a body may name its own user and nobody else', async () => {
  const user = unique('user');
  const token = userToken(user);
  assert.equal((await call('POST', '/v1/call/sessions', { token, body: { userId: user } })).status, 200);
  const other = await call('POST', '/v1/call/sessions', { token, body: { userId: 'someone' } });
  assert.equal(other.status, 403);
  assert.equal(other.json.code, 'CROSS_USER_FORBIDDEN');
});
