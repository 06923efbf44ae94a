// LiveKit, both ways: our tokens under LiveKit's own verifier, its own signer's webhooks under ours.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { AccessToken, TokenVerifier } from 'livekit-server-sdk';
import { append, billed, call, history, livekitKey, livekitSecret, metricsUrl, newSession, unique, until, userToken } from './client.mjs';
import { event, hook, person, sign } from './livekit.mjs';

const verifier = new TokenVerifier(livekitKey, livekitSecret);
const room = (s) => s.session.providerRoomId ?? `lk_room_${s.id}`;
const status = async (s) => (await call('GET', `/v1/call/sessions/${s.id}`, { token: s.token })).json.session;
const types = async (s) => (await history(s.token, s.id)).map((e) => e.type);

test('a token is accepted by LiveKit\'s verifier with the grants, name and metadata asked for', async () => {
  const s = await newSession();
  const r = await call('POST', `/v1/call/sessions/${s.id}/livekit/token`, { token: s.token, body: { participantName: 'Ana', ttlSeconds: 120 } });
  assert.equal(r.status, 200, r.text);
  const { transport } = r.json;
  const claims = await verifier.verify(transport.accessToken);
  assert.equal(claims.sub, transport.participantIdentity);
  assert.equal(claims.name, 'Ana');
  assert.equal(claims.video.room, transport.roomName);
  assert.equal(transport.roomName, `lk_room_${s.id}`);
  assert.deepEqual([claims.video.roomJoin, claims.video.canPublish, claims.video.canSubscribe, claims.video.canPublishData], [true, true, true, true]);
  assert.deepEqual(JSON.parse(claims.metadata), { sessionId: s.id, userId: s.user, correlationId: s.session.correlationId, role: 'caller' });
  assert.equal(claims.exp - claims.nbf, 120);
  assert.equal(transport.expiresInSeconds, 120);
  assert.equal(r.json.session.providerRoomId, transport.roomName);
});

test('a token\'s life is between 30 seconds and an hour', async () => {
  const s = await newSession();
  for (const [asked, got] of [[1, 30], [99999, 3600], [undefined, 300]]) {
    const r = await call('POST', `/v1/call/sessions/${s.id}/livekit/token`, { token: s.token, body: { ttlSeconds: asked } });
    const claims = await verifier.verify(r.json.transport.accessToken);
    assert.equal(claims.exp - claims.nbf, got);
  }
});

test('grants may be asked down, never up', async () => {
  const s = await newSession();
  const r = await call('POST', `/v1/call/sessions/${s.id}/livekit/token`, { token: s.token, body: { canPublish: false } });
  assert.equal((await verifier.verify(r.json.transport.accessToken)).video.canPublish, false);
  const more = await call('POST', `/v1/call/sessions/${s.id}/livekit/token`, { token: s.token, body: { roomAdmin: true } });
  assert.equal(more.status, 400);
});

test('an ended call gives no token', async () => {
  const s = await newSession();
  await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'ended' } });
  const r = await call('POST', `/v1/call/sessions/${s.id}/livekit/token`, { token: s.token, body: {} });
  assert.equal(r.status, 409);
  assert.equal(r.json.code, 'SESSION_ENDED');
});

test('LiveKit\'s standard token endpoint answers client SDKs and refuses what is not theirs to choose', async () => {
  const s = await newSession();
  const path = `/v1/call/sessions/${s.id}/livekit/connection`;
  const r = await call('POST', path, { token: s.token, body: { room_name: `lk_room_${s.id}`, participant_name: 'Ana' } });
  assert.equal(r.status, 201, r.text);
  const claims = await verifier.verify(r.json.participant_token);
  assert.equal(claims.video.room, `lk_room_${s.id}`);
  assert.match(r.json.server_url, /^wss:/);
  for (const body of [{ room_name: 'other' }, { participant_identity: 'boss' }, { participant_metadata: 'm' }, { participant_attributes: { a: 'b' } },
    { room_config: { agents: [{ agent_name: 'screener' }] } }, { room_config: { max_participants: 3 } }]) {
    const refused = await call('POST', path, { token: s.token, body });
    assert.equal(refused.status, 403, JSON.stringify(body));
    assert.equal(refused.json.code, 'LIVEKIT_FIELD_REFUSED');
  }
});

test('webhooks move the call: joined makes it active, the end of the room ends it', async () => {
  const s = await newSession();
  assert.equal((await hook(event('room_started', room(s)))).status, 200);
  assert.equal((await hook(event('participant_joined', room(s), { participant: person('PA_1') }))).status, 200);
  let now = await status(s);
  assert.equal(now.status, 'active');
  assert.equal(now.startedAtMs, 1760000001500);
  assert.equal((await hook(event('room_finished', room(s)))).status, 200);
  now = await status(s);
  assert.equal(now.status, 'ended');
  assert.deepEqual(await types(s), ['call.started', 'call.connecting', 'call.connected', 'call.ended', ...billed]);
});

test('an agent that joins or leaves does not start or end the call', async () => {
  const s = await newSession();
  await hook(event('participant_joined', room(s), { participant: person('PA_A', { kind: 'AGENT', identity: 'agent-1' }) }));
  assert.equal((await status(s)).status, 'created');
  await hook(event('participant_joined', room(s), { participant: person('PA_1') }));
  await hook(event('participant_left', room(s), { participant: person('PA_A', { kind: 'AGENT', identity: 'agent-1', disconnectReason: 'CLIENT_INITIATED' }) }));
  assert.equal((await status(s)).status, 'active');
});

test('a caller who hangs up ends the call; a lost connection only degrades it', async () => {
  const a = await newSession(), b = await newSession();
  for (const s of [a, b]) await hook(event('participant_joined', room(s), { participant: person('PA_1') }));
  await hook(event('participant_left', room(a), { participant: person('PA_1', { disconnectReason: 'CLIENT_INITIATED' }) }));
  await hook(event('participant_left', room(b), { participant: person('PA_1', { disconnectReason: 'CONNECTION_TIMEOUT' }) }));
  assert.equal((await status(a)).status, 'ended');
  assert.equal((await status(b)).status, 'active');
  assert.equal((await status(b)).transportState, 'degraded');
  assert.ok((await types(b)).includes('call.reconnecting'));
});

test('the same LiveKit event twice has one effect', async () => {
  const s = await newSession();
  const joined = event('participant_joined', room(s), { participant: person('PA_1') });
  for (let i = 0; i < 3; i++) assert.equal((await hook(joined)).status, 200);
  assert.deepEqual(await types(s), ['call.started', 'call.connected']);
});

test('events out of order tell the same end', async () => {
  const s = await newSession();
  await hook(event('room_finished', room(s)));
  await hook(event('participant_joined', room(s), { participant: person('PA_1') }));
  assert.equal((await status(s)).status, 'ended');
});

test('both JSON dialects are read: snake_case names, numbers for strings and enums', async () => {
  const s = await newSession();
  const raw = JSON.stringify({ event: 'participant_joined', id: unique('EV'), created_at: 1760000009, room: { sid: 'RM_9', name: room(s) },
    participant: { sid: 'PA_9', identity: 'x', state: 2, joined_at_ms: 1760000009250, kind: 0 }, surprise: { a: [] } });
  assert.equal((await hook(null, { raw })).status, 200);
  assert.equal((await status(s)).startedAtMs, 1760000009250);
});

test('a webhook that cannot be trusted changes nothing and says what is wrong', async () => {
  const s = await newSession();
  const joined = () => event('participant_joined', room(s), { participant: person('PA_1') });
  const body = JSON.stringify(joined());
  const good = await sign(body);
  const join = await new AccessToken(livekitKey, livekitSecret, { identity: 'x' }).toJwt();
  const cases = [
    ['unsigned', hook(joined(), { authorization: '' }), 401, 'WEBHOOK_UNSIGNED'],
    ['tampered', hook(null, { raw: body + ' ', authorization: good }), 401, 'WEBHOOK_BODY_MISMATCH'],
    ['wrong secret', hook(joined(), { secret: 'another-secret-0123456789abcdefghij' }), 401, 'WEBHOOK_TOKEN_INVALID'],
    ['unknown key', hook(joined(), { key: 'APIunknown' }), 401, 'WEBHOOK_KEY_UNKNOWN'],
    ['expired', hook(joined(), { ttl: -120 }), 401, 'WEBHOOK_EXPIRED'],
    ['with Bearer', hook(null, { raw: body, authorization: `Bearer ${good}` }), 401, 'WEBHOOK_TOKEN_INVALID'],
    ['a join token', hook(null, { raw: body, authorization: join }), 401, 'WEBHOOK_TOKEN_INVALID'],
    ['a hex hash', hook(null, { raw: body, sha256: createHash('sha256').update(body).digest('hex') }), 401, 'WEBHOOK_BODY_MISMATCH'],
    ['no JSON', hook(null, { raw: '{"event":' }), 400, 'WEBHOOK_INVALID'],
    ['a form', hook(null, { raw: body, authorization: good, type: 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['too large', hook(null, { raw: JSON.stringify({ ...joined(), pad: 'x'.repeat(1_100_000) }) }), 413, 'BODY_TOO_LARGE'],
  ];
  for (const [name, answer, code, word] of cases) {
    const r = await answer;
    assert.equal(r.status, code, `${name}: ${r.text}`);
    assert.equal(r.json.code, word, name);
  }
  assert.equal((await status(s)).status, 'created');
  assert.deepEqual(await types(s), ['call.started']);
  assert.equal((await hook(null, { raw: body, authorization: good })).status, 200, 'the honest one is still taken');
});

test('a webhook for an unknown room waits for its session, visibly', async () => {
  const token = userToken(unique('user'));
  const sessionId = unique('late');
  assert.equal((await hook(event('participant_joined', `lk_room_${sessionId}`, { participant: person('PA_1') }))).status, 200);
  await until('lifeos_webhooks_parked above 0', async () => {
    const text = await (await fetch(metricsUrl)).text();
    return text.split('\n').some((l) => /^lifeos_webhooks_parked\{.*\} [1-9]/.test(l));
  }, 20);
  const made = await call('POST', '/v1/call/sessions', { token, body: { sessionId } });
  assert.equal(made.status, 200, made.text);
  const s = { id: sessionId, token };
  assert.equal((await status(s)).status, 'active');
  assert.deepEqual(await types(s), ['call.started', 'call.connected']);
});

test('transcripts of a live call and its webhooks share one gapless order', async () => {
  const s = await newSession();
  await hook(event('participant_joined', room(s), { participant: person('PA_1') }));
  await append({ sessionId: s.id, type: 'transcript.final', payload: { utteranceId: 'u', speaker: 'user', text: 'hi', startMs: 0, endMs: 1 } });
  await hook(event('room_finished', room(s)));
  assert.deepEqual((await history(s.token, s.id)).map((e) => e.sequence), [1, 2, 3, 4, 5, 6]);
});
