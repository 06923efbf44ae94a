// The documented configuration does what its README says: no tools, nothing kept, one try, one endpoint, no warnings.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { asked, dir, events, fake, responses, sessionKey, url } from '../real.mjs';

const run = promisify(execFile);
const cache = process.env.LIFEOS_OPENCLAW_CACHE;
const locked = JSON.parse(fs.readFileSync(new URL('../../../packaging/openclaw/package.json', import.meta.url), 'utf8'));

test('the gateway that runs is the one that is pinned', async () => {
  const { version } = await (await fetch(`${url}/startupz`)).json();
  assert.equal(version, locked.dependencies.openclaw);
  assert.match(version, /^\d+\.\d+\.\d+$/);
});

test('the model is offered our functions and none of the gateway\'s', async () => {
  const mine = (name) => ({ type: 'function', name, parameters: { type: 'object', properties: {} } });
  const mark = `tools-${process.pid}`;
  for (const tools of [undefined, [mine('propose_a'), mine('propose_b')]]) {
    await (await responses(url, { input: `${mark} ${fake({ text: 'yes' })}`, tools })).text();
    assert.deepEqual((await asked(mark)).at(-1).tools, (tools ?? []).map((t) => t.name));
  }
});

test('the assistant is who the workspace says, and nothing is missing of it', async () => {
  const mark = `persona-${process.pid}`;
  await (await responses(url, { input: `${mark} ${fake({ text: 'yes' })}`, instructions: 'The candidate is called Ada.' })).text();
  const [{ body }] = await asked(mark);
  const system = JSON.stringify(body.input.filter((i) => i.role === 'system' || i.role === 'developer')) + (body.instructions ?? '');
  assert.match(system, /Recruitment call assistant/);
  assert.match(system, /The candidate is called Ada\./);
  assert.doesNotMatch(system, /\[MISSING\]/);
});

test('a provider that fails is asked once', async () => {
  for (const status of [500, 429, 503]) {
    const mark = `once-${status}-${process.pid}`;
    const got = events(await (await responses(url, { input: `${mark} ${fake({ status })}` })).text());
    assert.equal(got.at(-2).type, 'response.failed', String(status));
    assert.equal((await asked(mark)).length, 1);
  }
});

test('who leaves ends the request to the model', async () => {
  const mark = `leave-${process.pid}`;
  const left = new AbortController();
  const res = await responses(url, { input: `${mark} ${fake({ text: 'one two three', hangAfter: 1 })}` }, { signal: left.signal });
  for await (const part of res.body.pipeThrough(new TextDecoderStream())) if (part.includes('output_text.delta')) break;
  left.abort();
  for (const end = Date.now() + 10000; (await asked(mark))[0]?.outcome !== 'aborted';)
    assert.ok(Date.now() < end, 'the request to the model goes on');
});

test('arguments of 200 kB arrive whole', async () => {
  const text = 'x'.repeat(200000);
  const mark = `big-${process.pid}`;
  const tools = [{ type: 'function', name: 'propose_big', parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } }];
  const got = events(await (await responses(url, { input: `${mark} ${fake({ tools: [{ name: 'propose_big', args: { text } }] })}`, tools })).text());
  const { response } = got.find((e) => e.type === 'response.completed');
  assert.equal(JSON.parse(response.output.find((o) => o.type === 'function_call').arguments).text.length, 200000);
});

test('an incognito session remembers in memory, and nothing of it is on disk', async () => {
  const headers = { 'x-openclaw-session-key': sessionKey() };
  const marks = ['input', 'answer', 'instructions'].map((w) => `${w}kept${process.pid}`);
  const say = async (input, instructions) => (await responses(url, { input, instructions }, { headers })).text();
  await say(`${marks[0]} ${fake({ text: marks[1] })}`, marks[2]);
  await say(`again${process.pid} ${fake({ text: 'yes' })}`);
  const [{ body }] = await asked(`again${process.pid}`);
  assert.match(JSON.stringify(body), new RegExp(marks[1]), 'the second request knows the first');
  assert.deepEqual(found(dir, marks), []);
  assert.notDeepEqual(found(dir, ['Recruitment call assistant']), [], 'what is there is found');
});

test('no other door is open: tools, other endpoints, a control page', async () => {
  const headers = { authorization: `Bearer ${process.env.LIFEOS_OPENCLAW_TOKEN}`, 'content-type': 'application/json' };
  const status = async (p, body) => (await fetch(url + p, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body) })).status;
  assert.equal(await status('/tools/invoke', { tool: 'exec', args: { command: 'id' } }), 404);
  assert.equal(await status('/tools/invoke', { tool: 'read', args: { path: '/etc/passwd' }, agentId: 'recruiter' }), 404);
  assert.equal(await status('/v1/chat/completions', { model: 'openclaw/recruiter', messages: [] }), 404);
  assert.equal(await status('/hooks/agent', { message: 'x' }), 404);
  assert.equal(await status('/'), 404);
});

test('its own audit finds nothing', async () => {
  const node = path.join(cache, 'node_modules', `node-linux-${process.arch}`, 'bin/node');
  const { stdout } = await run(node, [path.join(cache, 'node_modules/openclaw/openclaw.mjs'), 'security', 'audit', '--json'], {
    env: { PATH: '/usr/bin:/bin', HOME: dir, TMPDIR: path.join(cache, 'node_modules/.cache'), OPENCLAW_STATE_DIR: path.join(dir, 'state'), OPENCLAW_CONFIG_PATH: path.join(dir, 'openclaw.json'),
      OPENCLAW_CONFIG_READONLY: '1', OPENCLAW_GATEWAY_TOKEN: process.env.LIFEOS_OPENCLAW_TOKEN, MODEL_PROVIDER_KEY: 'x', OPENCLAW_OFFLINE: '1', NO_COLOR: '1' } });
  const { summary, findings } = JSON.parse(stdout.slice(stdout.indexOf('{')));
  assert.deepEqual([summary.critical, summary.warn], [0, 0], JSON.stringify(findings));
});

/** Files below dir that hold one of these texts. */
function found(below, texts) {
  return fs.readdirSync(below, { withFileTypes: true, recursive: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath ?? f.path, f.name))
    .filter((f) => { const bytes = fs.readFileSync(f); return texts.some((t) => bytes.includes(t)); });
}
