// The stand-in that all other tests ask answers as the real gateway does: the same requests to both, the same bytes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Standin } from '../../lib/openclaw_standin.mjs';
import { fake, responses, token, url } from '../real.mjs';

let standin;
before(async () => { standin = await new Standin({ token }).listen(); });
after(() => standin.close());

/** Ids, times and counts of tokens are each one's own. */
const plain = (text) => text.replace(/"(id|item_id)":"[^"]*"/g, '"$1":""').replace(/"call_id":"[0-9a-f]{9}"/g, '"call_id":""').replace(/"created_at":\d+/g, '"created_at":0')
  .replace(/"usage":\{.*?\}.*?\}.*?\}/g, '"usage":{}').replace(/"message":"(temperature|text|tools)(?:[^"\\]|\\.)*"/g, '"message":"$1"');

async function seen(at, body, headers) {
  const res = await responses(at, body, { headers });
  return `${res.status} ${res.headers.get('content-type')}\n${plain(await res.text())}`;
}

const tool = (name) => ({ type: 'function', name, parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false } });
const call = { name: 'propose_x', args: { a: 1 } };
const input = (turn) => ({ input: fake(turn) });

const requests = {
  'words, and the spaces between them': input({ deltas: ['Thanks ', 'Ada, ', ' noted. '] }),
  'words and two calls': { ...input({ text: 'I will.', tools: [call, { ...call, args: { a: 2 } }] }), tools: [tool('propose_x')] },
  'a call without words': { ...input({ tools: [call] }), tools: [tool('propose_x')] },
  'a required call, words beside it': { ...input({ text: 'prose', tools: [call] }), tools: [tool('propose_x')], tool_choice: 'required' },
  'a named call': { ...input({ tools: [call] }), tools: [tool('propose_x')], tool_choice: { type: 'function', name: 'propose_x' } },
  'a required call that does not come': { ...input({ text: 'prose' }), tools: [tool('propose_x')], tool_choice: 'required' },
  'no functions wanted': { ...input({ text: 'prose' }), tools: [tool('propose_x')], tool_choice: 'none' },
  'nothing said': input({ text: '' }),
  'cut at the token limit': input({ text: 'one two three', incomplete: true }),
  'no stream': { ...input({ text: 'I will.', tools: [call] }), tools: [tool('propose_x')], stream: false },
  'an unknown member': { input: 'x', foo: 1 },
  'another model': { input: 'x', model: 'gpt' },
  'an unknown agent': { input: 'x', model: 'openclaw/other' },
  'no input': {},
  'blank input': { input: '  ' },
  'a function in the shape of another interface': { input: 'x', tools: [{ type: 'function', function: { name: 'a' } }] },
  'a function twice': { input: 'x', tools: [tool('a'), tool('a')] },
  'a function with the name of a built-in one': { input: 'x', tools: [tool('exec')] },
  'a call required, no function': { input: 'x', tool_choice: 'required' },
  'a call of a function that is not there': { input: 'x', tools: [tool('a')], tool_choice: { type: 'function', name: 'b' } },
  'a member out of its bounds': { input: 'x', temperature: 3 },
  'another format': { input: 'x', text: { format: { type: 'json_object' } } },
};
for (const [what, body] of Object.entries(requests))
  test(`as the gateway: ${what}`, async () => assert.equal(await seen(standin.url, body), await seen(url, body)));

const failures = {
  'the provider fails': [{ status: 500 }, { error: 'upstream provider error' }],
  'the provider has too many requests': [{ status: 429 }, { error: { code: 'rate_limit_error', message: '429 scripted 429' } }],
  'the provider breaks off': [{ text: 'one two three', dropAfter: 2 }, { text: 'one two three', error: 'upstream provider timeout', failAfter: 2 }],
};
for (const [what, [behind, instead]] of Object.entries(failures))
  test(`as the gateway: ${what}`, async () => assert.equal(await seen(standin.url, input(instead)), await seen(url, input(behind))));

test('as the gateway: a wrong token, another agent\'s session, a reserved one', async () => {
  for (const headers of [{ authorization: 'Bearer x' }, { 'x-openclaw-session-key': 'agent:other:dashboard:incognito-1' }, { 'x-openclaw-session-key': 'subagent:x' }])
    assert.equal(await seen(standin.url, input({ text: 'hi' }), headers), await seen(url, input({ text: 'hi' }), headers));
});

test('as the gateway: a connection that came through a proxy is refused', async () => {
  for (const at of [standin.url, url]) {
    const res = await responses(at, input({ text: 'hi' }), { headers: { 'x-forwarded-for': '192.0.2.1' } });
    assert.equal(res.status, 403);
    assert.equal((await res.json()).error.type, 'proxy_attribution_required');
  }
});

test('as the gateway: paths and methods', async () => {
  for (const [method, path] of [['GET', '/v1/responses'], ['GET', '/nothing'], ['POST', '/healthz'], ['GET', '/healthz'], ['POST', '/v1/chat/completions']]) {
    const [a, b] = await Promise.all([standin.url, url].map(async (at) => {
      const res = await fetch(at + path, { method });
      return [res.status, res.headers.get('content-type'), res.headers.get('allow'), await res.text()];
    }));
    assert.deepEqual(a, b, `${method} ${path}`);
  }
});

test('as the gateway: its first events come at once, its words one request of a session after the other', async () => {
  for (const at of [standin.url, url]) {
    const headers = { 'x-openclaw-session-key': `agent:recruiter:dashboard:incognito-order-${process.pid}` };
    await (await responses(at, input({ text: 'one' }), { headers })).text();
    const order = [];
    const turn = async (name) => {
      const res = await responses(at, input({ firstMs: 700, text: name }), { headers });
      let text = '';
      for await (const part of res.body.pipeThrough(new TextDecoderStream())) {
        if (!text) order.push('begun');
        text += part;
      }
      order.push('ended');
      assert.ok(text.includes('response.completed'));
    };
    await Promise.all([turn('first'), turn('second')]);
    assert.deepEqual(order, ['begun', 'begun', 'ended', 'ended']);
  }
});
