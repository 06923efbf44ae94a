// The line to the AI gateway itself: TLS that is not to be trusted, a gateway that is not there, a token that is not ours.
// A second appliance on the same database asks a gateway of this test.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Standin } from '../lib/openclaw_standin.mjs';
import { call, history, unbilled, unique, until, userToken } from '../contract/client.mjs';

const first = process.env.LIFEOS_STACK_DIR;
const stack = new URL('../stack', import.meta.url).pathname;
const dir = `${first}-ai`;
const keys = fs.mkdtempSync(path.join(os.tmpdir(), 'lifeos-tls-'));
const token = 'the-token-of-the-gateway-of-this-test';
const run = (args, more = {}) => execFileSync(stack, [...args, '--dir', dir], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'], ...more }).trim();
// ctl hands on everything behind it: its folder comes first.
const ctl = (...words) => execFileSync(stack, ['ctl', '--dir', dir, ...words], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** A certificate for a name, signed by itself. */
function certificate(name, san) {
  const [cert, key] = ['cert', 'key'].map((f) => path.join(keys, `${name}.${f}`));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${san}`, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { file: cert, tls: { cert: fs.readFileSync(cert), key: fs.readFileSync(key) } };
}

const right = certificate('gateway', 'IP:127.0.0.1');
const other = certificate('other', 'DNS:other.invalid');
let gateway; // what listens on the port now
let port;
let url;
let owner;

/** Whatever was on the port leaves it, and this comes instead. */
async function instead(server) {
  gateway?.close();
  await until('the port to be free', () => !gateway?.server?.listening);
  gateway = server;
  await server?.listen({ port });
}

const say = async (s) => call('POST', `/v1/call/sessions/${s}/turn`, { token: owner, body: { text: 'Hello' }, at: url });
const becomes = async (s, code) => until(code, async () => ((await say(s)).json?.code ?? 'an answer') === code, 60);

before(async () => {
  gateway = await new Standin({ token, tls: right.tls }).listen();
  port = gateway.port;
  const env = fs.readFileSync(run(['up', '--join', first, '--set', 'openclaw_test_seconds=1', '--set', 'openclaw_failures_max=100'],
    { env: { ...process.env, LIFEOS_OPENCLAW_URL: `https://127.0.0.1:${port}`, LIFEOS_OPENCLAW_TOKEN: token } }), 'utf8');
  url = /LIFEOS_URL='(.*)'/.exec(env)[1];
  owner = userToken(unique('user'));
});
after(() => {
  gateway?.close();
  run(['down']);
  fs.rmSync(keys, { recursive: true });
});

async function newSession() {
  const { json } = await call('POST', '/v1/call/sessions', { token: owner, body: {}, at: url });
  return json.session.sessionId;
}

test('TLS nobody vouches for, of another name, or none at all: AI_TLS_FAILED, and no word was sent', async () => {
  const s = await newSession();
  await becomes(s, 'AI_TLS_FAILED');
  const { type, payload } = unbilled(await history(owner, s)).at(-1);
  assert.deepEqual([type, payload.code], ['call.error', 'AI_TLS_FAILED']);
  assert.equal(gateway.log().length, 0);
  ctl('openclaw', 'set-ca', other.file);
  await instead(new Standin({ token, tls: other.tls }));
  run(['kill', 'openclaw']);
  await becomes(s, 'AI_TLS_FAILED');
  assert.equal(gateway.log().length, 0);
  const plain = { server: http.createServer(), close() { this.server.close(); this.server.closeAllConnections(); },
    listen(at) { return new Promise((resolve) => { this.server.listen({ ...at, host: '127.0.0.1' }, resolve); }); } };
  await instead(plain);
  await becomes(s, 'AI_TLS_FAILED');
});

test('a gateway somebody vouches for answers; one with another token refuses; one that is gone is unreachable', async () => {
  const s = await newSession();
  ctl('openclaw', 'set-ca', right.file);
  await instead(new Standin({ token, tls: right.tls }));
  run(['kill', 'openclaw']);
  await becomes(s, 'an answer');
  await instead(new Standin({ token: 'another', tls: right.tls }));
  await becomes(s, 'AI_REFUSED');
  await instead(undefined);
  await becomes(s, 'AI_UNREACHABLE');
  const codes = (await history(owner, s)).filter((e) => e.type === 'call.error').map((e) => e.payload.code);
  assert.ok(codes.includes('AI_REFUSED') && codes.includes('AI_UNREACHABLE'), codes.join());
  await instead(new Standin({ token, tls: right.tls }));
  await becomes(s, 'an answer');
});
