// The door itself: HTTP as it must be, bounds that hold, errors of one shape, CORS everywhere.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { call, ingestToken, metricsUrl, newSession, unique, url, userToken } from './client.mjs';

const { hostname, port } = new URL(url);

/** Sends raw bytes, returns everything the server said until it closed or went quiet for a moment. */
function wire(bytes, { expect = 1 } = {}) {
  return new Promise((resolve, reject) => {
    const s = net.connect(Number(port), hostname, () => s.write(bytes));
    let got = '';
    const done = () => { s.destroy(); resolve(got); };
    s.on('data', (d) => { got += d; if ((got.match(/HTTP\/1\.1 \d/g) ?? []).length >= expect && /\r\n\r\n/.test(got)) setTimeout(done, 50); });
    s.on('end', done);
    s.on('error', (e) => (got ? done() : reject(e)));
    s.setTimeout(20_000, done);
  });
}
const first = (text) => Number(text.match(/^HTTP\/1\.1 (\d+)/)?.[1]);

test('every error has the one shape, an id to ask the operator about, and no surprise text', async () => {
  for (const r of [await call('GET', '/nowhere'), await call('GET', '/v1/call/sessions'), await call('DELETE', '/v1/call/sessions'),
    await call('POST', '/v1/call/sessions', { token: userToken(unique('u')), body: { nonsense: 1 } })]) {
    assert.deepEqual(Object.keys(r.json), ['ok', 'code', 'message', 'retryable', 'requestId', 'traceId']);
    assert.equal(r.json.ok, false);
    assert.equal(r.headers.get('x-request-id'), r.json.requestId);
    assert.equal(r.headers.get('x-content-type-options'), 'nosniff');
  }
});

test('unknown paths are 404, wrong methods 405 with Allow', async () => {
  assert.equal((await call('GET', '/v1/call/sessions/a/b/c/d')).status, 404);
  assert.equal((await call('GET', '/v1/call/sessions/')).status, 404);
  const r = await call('PUT', '/v1/call/sessions');
  assert.equal(r.status, 405);
  assert.match(r.headers.get('allow'), /GET/);
  assert.match(r.headers.get('allow'), /POST/);
});

test('CORS: preflight without a token, and headers on answers and errors alike', async () => {
  const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, content-type, idempotency-key' };
  const pre = await call('OPTIONS', '/v1/call/sessions', { headers });
  assert.equal(pre.status, 204);
  assert.match(pre.headers.get('access-control-allow-headers').toLowerCase(), /authorization/);
  for (const path of ['/health', '/nowhere', '/v1/call/sessions']) {
    const r = await call('GET', path, { headers: { origin: 'https://app.example' } });
    assert.equal(r.headers.get('access-control-allow-origin'), '*', path);
  }
});

test('JSON that is not exactly JSON is refused: duplicates, unknown keys, trailing bytes, bad UTF-8', async () => {
  const token = userToken(unique('u'));
  const json = { 'content-type': 'application/json' };
  for (const raw of ['{"provider":"a","provider":"b"}', '{"provider":"a"} x', '{"provider":"a",}', "{'provider':'a'}", '[1', 'NaN', '{"provider":"\\ud800"}',
    '{"metadata":{"a":01}}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), '{"metadata":' + '['.repeat(40) + ']'.repeat(40) + '}']) {
    const r = await call('POST', '/v1/call/sessions', { token, raw, headers: json });
    assert.equal(r.status, 400, String(raw).slice(0, 40));
  }
  assert.equal((await call('POST', '/v1/call/sessions', { token, raw: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, 415);
  assert.equal((await call('POST', '/v1/call/sessions', { token })).status, 200, 'no body at all is an empty one');
});

test('a body may be 1 MiB and not a byte more, announced or chunked', async () => {
  const token = userToken(unique('u'));
  const big = JSON.stringify({ metadata: { pad: 'x'.repeat(1 << 20) } });
  assert.equal((await call('POST', '/v1/call/sessions', { token, raw: big, headers: { 'content-type': 'application/json' } })).status, 413);
  const head = `POST /v1/call/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  assert.equal(first(await wire(`${head}Content-Length: 1048577\r\n\r\n`)), 413);
  const chunk = `10000\r\n${' '.repeat(65536)}\r\n`;
  assert.equal(first(await wire(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(17)}0\r\n\r\n`)), 413);
  assert.equal(first(await wire(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`)), 200);
});

test('requests that smuggle are refused and the connection is closed', async () => {
  const get = 'GET /health HTTP/1.1\r\n';
  for (const bytes of [
    `POST /v1/call/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /v1/call/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
    `${get}Host: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n`, `${get}Host: x\r\n folded: y\r\n\r\n`, `${get}Host : x\r\n\r\n`,
    `${get}\r\n`, `${get}Host: a\r\nHost: b\r\n\r\n`, `${get}Host: x\r\nX: a\0b\r\n\r\n`, `GET /health HTTP/9.9\r\nHost: x\r\n\r\n`, 'NONSENSE\r\n\r\n',
    `GET /hea\x01lth HTTP/1.1\r\nHost: x\r\n\r\n`,
  ]) {
    const text = await wire(bytes + 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n', { expect: 2 });
    assert.equal(first(text), 400, JSON.stringify(bytes));
    assert.equal((text.match(/HTTP\/1\.1 \d/g) ?? []).length, 1, `nothing behind it is served: ${JSON.stringify(bytes)}`);
  }
});

test('pipelined requests are answered in their order', async () => {
  const one = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const text = await wire(one('/health') + one('/nowhere') + one('/') + one('/health'), { expect: 4 });
  assert.deepEqual([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]), ['200', '404', '200', '200']);
});

test('headers and targets over their bounds are named so', async () => {
  assert.equal(first(await wire(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20000)}\r\n\r\n`)), 431);
  assert.equal(first(await wire(`GET /health HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(200)}\r\n`)), 431);
  assert.equal(first(await wire(`GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`)), 414);
});

test('tokens: none, garbage, alg none, and one signed with the public key as an HMAC secret', async () => {
  const enc = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const claims = { iss: 'lifeos', aud: 'lifeos', sub: 'x', account: 'x', role: 'owner', exp: 4102444800 };
  const real = userToken(unique('u'));
  const [h, p, sig] = real.split('.');
  for (const token of ['garbage', `${enc({ alg: 'none' })}.${enc(claims)}.`, `${enc({ alg: 'HS256' })}.${enc(claims)}.${sig}`, `${h}.${enc(claims)}.${sig}`, `${h}.${p}.`, `${real}x`, real.replace(/\./g, '..')]) {
    const r = await call('GET', '/v1/call/sessions', { token });
    assert.equal(r.status, 401, token.slice(0, 30));
    assert.equal(r.json.code, 'AUTH_INVALID');
  }
  assert.equal((await call('GET', '/v1/call/sessions')).json.code, 'AUTH_REQUIRED');
  assert.equal((await call('GET', '/v1/call/sessions', { token: ingestToken })).status, 403, 'a key is not a person');
  assert.equal((await call('GET', '/v1/call/sessions', { token: ingestToken.slice(0, -5) + (ingestToken.endsWith('AAAAA') ? 'EAAAE' : 'AAAAA') })).status, 401);
});

test('a trace id of the client is kept if it is harmless', async () => {
  const kept = await call('GET', '/nowhere', { headers: { 'x-trace-id': 'trace_abc-1' } });
  assert.equal(kept.json.traceId, 'trace_abc-1');
  const bad = await call('GET', '/nowhere', { headers: { 'x-trace-id': 'a b'.repeat(50) } });
  assert.notEqual(bad.json.traceId, 'a b'.repeat(50));
});

test('health, readiness by part, and the list of routes', async () => {
  assert.equal((await call('GET', '/health')).json.ok, true);
  const ready = await call('GET', '/health/ready');
  const { openclaw, ...rest } = ready.json.checks;
  assert.deepEqual(rest, { writer: 'ok', database: 'ok', webhook: 'ok' });
  assert.match(openclaw, /^(ready|not configured|not ready)$/);
  const root = await call('GET', '/');
  assert.ok(root.json.endpoints.createCallSession.startsWith('POST /v1/call/sessions'));
});

test('metrics are on their own address only', async () => {
  assert.equal((await call('GET', '/metrics')).status, 404);
  const r = await fetch(metricsUrl);
  assert.equal(r.status, 200);
  const text = await r.text();
  assert.match(text, /^lifeos_http_requests_total\{daemon="frontend",instance="1"\} \d+$/m);
  assert.match(text, /^lifeos_up\{daemon="writer"[^}]*\} 1$/m);
  assert.equal((await fetch(metricsUrl.replace('/metrics', '/v1/call/sessions'))).status, 404);
});

test('a repeated state change with one Idempotency-Key happens once', async () => {
  const s = await newSession();
  const headers = { 'idempotency-key': unique('k') };
  const ask = (body) => call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, headers, body });
  const a = await ask({ status: 'active' });
  const b = await ask({ status: 'active' });
  assert.deepEqual(b.json, a.json);
  assert.equal((await ask({ status: 'ended' })).json.code, 'IDEMPOTENCY_CONFLICT');
});
