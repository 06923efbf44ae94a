// The assistant's routes as far as no assistant is needed: who may ask, what a question must say, how a browser gets there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, unique, userToken } from './client.mjs';

const origin = 'https://app.example';
const turn = '/v1/call/sessions/some-call/turn';
const asks = [turn, '/v1/chat/turn', '/v1/chat/stream'];

test('a question needs a person, and a stream that never began is a plain error', async () => {
  for (const path of [...asks, '/v1/orchestration/actions/execute', '/v1/orchestration/actions/confirm']) {
    const r = await call('POST', path, { body: { text: 'hi' }, headers: { origin } });
    assert.equal(r.status, 401, path);
    assert.match(r.headers.get('content-type'), /^application\/json/);
    assert.deepEqual(Object.keys(r.json), ['ok', 'code', 'message', 'retryable', 'requestId', 'traceId']);
    assert.equal(r.headers.get('access-control-allow-origin'), '*');
    assert.equal(r.headers.get('cache-control'), 'no-store');
  }
});

test('what is no question is refused before anybody is asked', async () => {
  const token = userToken(unique('u'));
  const bad = [
    [turn, {}, /text is required/], [turn, { text: '   ' }, /text is required/], [turn, { messages: [{ role: 'user', content: 'x' }] }, /text is required/],
    [turn, { text: 'x', sessionId: 'another-call' }, /sessionId/], [turn, { text: 'x', whenBusy: 'push in' }, /whenBusy/],
    [turn, { text: 'x'.repeat(16385) }, /text/], [turn, { text: 'x', nonsense: 1 }, /unknown field nonsense/],
    ['/v1/chat/turn', {}, /text or messages/], ['/v1/chat/turn', { text: 'x', sessionId: 'some-call' }, /sessionId/],
    ['/v1/chat/stream', {}, /text or messages/], ['/v1/chat/stream', { text: 7 }, /text/], ['/v1/chat/stream', { text: 'x', sessionId: 'some-call' }, /sessionId/],
    ['/v1/chat/stream', { text: 'x', actorId: 'me' }, /unknown field/],
  ];
  for (const [path, body, why] of bad) {
    const r = await call('POST', path, { token, body });
    assert.equal(r.status, 400, `${path} ${JSON.stringify(body).slice(0, 60)}`);
    assert.equal(r.json.code, 'INVALID_REQUEST');
    assert.match(r.json.message, why);
  }
  for (const path of asks) {
    assert.equal((await call('POST', path, { token, body: { text: 'x', userId: 'somebody-else' } })).json.code, 'CROSS_USER_FORBIDDEN');
    assert.equal((await call('POST', path, { token, raw: '{"text":"x"', headers: { 'content-type': 'application/json' } })).json.code, 'INVALID_JSON');
    assert.equal((await call('POST', path, { token, raw: 'x', headers: { 'content-type': 'text/plain' } })).status, 415);
    assert.equal((await call('POST', path, { token, body: { text: 'x' }, headers: { 'idempotency-key': 'k'.repeat(101) } })).status, 400);
  }
});

test('wrong methods name the right ones, and a browser may delete', async () => {
  const allow = async (method, path) => { const r = await call(method, path); return [r.status, r.headers.get('allow')]; };
  assert.deepEqual(await allow('GET', '/v1/chat/stream'), [405, 'POST, OPTIONS']);
  assert.deepEqual(await allow('DELETE', '/v1/chat/conversations'), [405, 'GET, HEAD, OPTIONS']);
  assert.deepEqual(await allow('POST', '/v1/chat/conversations/c1'), [405, 'GET, HEAD, DELETE, OPTIONS']);
  assert.equal((await call('POST', '/v1/chat')).status, 404);
  assert.equal((await call('DELETE', '/v1/chat/conversations/c1')).status, 401);
  const pre = await call('OPTIONS', '/v1/chat/conversations/c1', { headers: { origin, 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' } });
  assert.equal(pre.status, 204);
  assert.equal(pre.headers.get('access-control-allow-methods'), 'GET, HEAD, DELETE, OPTIONS');
  assert.match(pre.headers.get('access-control-allow-headers'), /authorization/);
});

test('GET / names every way to ask', async () => {
  const { endpoints } = (await call('GET', '/')).json;
  assert.match(endpoints.executeCallTurn, /^POST \/v1\/call\/sessions\/:sessionId\/turn /);
  assert.match(endpoints.chatStream, /^POST \/v1\/chat\/stream /);
  assert.match(endpoints.deleteConversation, /^DELETE \/v1\/chat\/conversations\/:conversationId /);
});
