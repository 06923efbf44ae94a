// Calls through our product and the real gateway: said, streamed, proposed, confirmed, carried out, stopped, survived.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chat, messages, newCall, turn } from '../contract/ai.mjs';
import { call, history, kill, operator, unbilled, unique, until, url, userToken } from '../contract/client.mjs';
import { asked, dir, fake, forget, gateway, start, token as gatewayToken } from './real.mjs';

const account = unique('acme');
const owner = userToken(unique('ana'), { account, role: 'owner' });
const tools = [...fs.readFileSync(new URL('../../policy/actions.def', import.meta.url), 'utf8').matchAll(/^ACTION\("[^"]+",.*?"(propose_\w+)"/gm)].map((m) => m[1]);
const ready = async () => (await call('GET', '/health/ready')).json.checks.openclaw === 'ready';
const action = (what, body) => call('POST', `/v1/orchestration/actions/${what}`, { token: owner, body });

before(() => until('the gateway to have answered a test turn', ready, 60));
after(forget);

test('a turn: words, events in their order, and the conversation', async () => {
  const s = await newCall(owner);
  const r = await turn(s, `I have ten years of C. ${fake({ deltas: ['Thanks ', 'Ada, ', 'noted.'] })}`);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.text.content, 'Thanks Ada, noted.');
  assert.deepEqual(r.json.events.map((e) => e.type), ['call.turn.owner_changed', 'transcript.final', 'call.turn.owner_changed', 'transcript.final', 'call.turn.timing']);
  const stored = (await history(s.token, s.id)).filter((e) => e.type === 'transcript.delta').map((e) => e.payload.text).join('');
  assert.equal(stored, 'Thanks Ada, noted.', 'listeners heard it as it came');
  assert.deepEqual((await messages(s)).map((m) => [m.role, m.state]), [['user', 'complete'], ['assistant', 'complete']]);
});

test('the model is offered our functions and no other', async () => {
  const s = await newCall(owner);
  const mark = unique('tools');
  await turn(s, `${mark} ${fake({ text: 'yes' })}`);
  assert.ok(tools.length >= 7);
  assert.deepEqual((await asked(mark)).map((r) => r.tools.toSorted()), [tools.toSorted()]);
});

test('the second turn is told of the first by us', async () => {
  const s = await newCall(owner);
  const [first, answer, second] = ['first', 'answer', 'second'].map(unique);
  await turn(s, `${first} ${fake({ text: answer })}`);
  await turn(s, `${second} ${fake({ text: 'yes' })}`);
  const [{ body }] = await asked(second);
  const words = JSON.stringify(body.input.filter((i) => i.role === 'user').at(-1));
  assert.ok(words.includes(first) && words.includes(answer), 'our own transcript is in the newest message');
});

test('a chat is streamed', async () => {
  const r = await chat(owner, { messages: [{ role: 'user', content: fake({ text: 'one two three four five', delayMs: 20 }) }] });
  assert.equal(r.status, 200);
  assert.ok(r.of('text.delta').length >= 3, 'in pieces, not at once');
  assert.equal(r.of('text.delta').map((p) => p.delta).join(''), 'one two three four five');
  assert.equal(r.of('text.done')[0].fullText, 'one two three four five');
  assert.deepEqual(r.frames.filter((f) => f.type === 'done').map((f) => f.payload.ok), [true]);
});

test('what the model proposes waits for a human, and becomes a deliverable by his word', async () => {
  const s = await newCall(owner);
  const r = await turn(s, `Please write my CV. ${fake({ text: 'I suggest a CV.', tools: [{ name: 'propose_cv', args: { instructions: 'ten years of C' } }] })}`);
  assert.equal(r.json.text.content, 'I suggest a CV.');
  const proposed = r.json.events.find((e) => e.type === 'action.proposed').payload;
  assert.equal(proposed.actionType, 'cv.generate');
  const read = async () => (await call('GET', `/v1/orchestration/sessions/${s.id}/actions/${proposed.actionId}`, { token: owner })).json.action;
  assert.equal((await read()).status, 'proposed');
  const done = await action('execute', { sessionId: s.id, actionId: proposed.actionId, actionType: 'cv.generate', payload: { instructions: 'ten years of C' } });
  assert.equal(done.status, 200, done.text);
  assert.equal(done.json.ack.status, 'executed');
  assert.equal((await read()).status, 'executed');
  const { deliverable } = (await call('GET', `/v1/deliverables/${done.json.result.deliverableId}`, { token: owner })).json;
  assert.equal(deliverable.kind, 'cv');
  const again = await action('execute', { sessionId: s.id, actionId: proposed.actionId, actionType: 'cv.generate', payload: { instructions: 'ten years of C' } });
  assert.equal(again.json.result.deliverableId, done.json.result.deliverableId, 'once');
});

test('nothing is sent before it is confirmed, and then once', async () => {
  operator('account', 'set', account, '--delivery-url', 'https://delivery.invalid/hook');
  const s = await newCall(owner);
  const data = { channel: 'email', subject: 'Role', body: 'May I show you how?' };
  const r = await turn(s, `Send it. ${fake({ text: 'As soon as you confirm.', tools: [{ name: 'propose_outreach_send', args: { recipient: 'a@example.com', data } }] })}`);
  assert.equal(r.status, 200, r.text);
  const { payload } = r.json.events.find((e) => e.type === 'action.requires_confirmation') ?? (await history(owner, s.id)).find((e) => e.type === 'action.requires_confirmation');
  const confirmed = await action('confirm', { sessionId: s.id, actionId: payload.actionId, confirmationToken: payload.confirmationToken });
  assert.equal(confirmed.status, 200, confirmed.text);
  assert.equal(confirmed.json.ack.status, 'executed');
  const executed = async () => (await history(owner, s.id)).filter((e) => e.type === 'action.executed').length;
  assert.equal(await executed(), 1);
  const again = await action('confirm', { sessionId: s.id, actionId: payload.actionId, confirmationToken: payload.confirmationToken });
  assert.notEqual(again.status, 500);
  assert.equal(await executed(), 1, 'a token confirms once');
});

test('who leaves, and who presses stop, ends the request to the model', async () => {
  const left = new AbortController();
  const marks = ['left', 'stopped'].map(unique);
  const open = chat(owner, { messages: [{ role: 'user', content: `${marks[0]} ${fake({ text: 'one two three', hangAfter: 2 })}` }] }, { signal: left.signal }).catch(() => {});
  await until('the model to be asked', async () => (await asked(marks[0])).length, 20);
  left.abort();
  await open;
  await until('its end', async () => (await asked(marks[0]))[0].outcome === 'aborted');
  const s = await newCall(owner);
  const running = turn(s, `${marks[1]} ${fake({ text: 'one two three', hangAfter: 2 })}`);
  await until('some words', async () => (await history(owner, s.id)).some((e) => e.type === 'transcript.delta'), 20);
  assert.equal((await call('POST', `/v1/call/sessions/${s.id}/turn/stop`, { token: owner, body: {} })).status, 200);
  const r = await running;
  assert.deepEqual([r.status, r.json.code], [409, 'TURN_CANCELLED']);
  await until('its end', async () => (await asked(marks[1]))[0].outcome === 'aborted');
  assert.deepEqual((await messages(s)).map((m) => m.state), ['complete', 'cut']);
});

for (const [what, how, status, code, said, times] of [
  ['fails', { status: 500 }, 502, 'AI_FAILED', undefined, 2],
  ['has too many requests', { status: 429 }, 503, 'AI_RATE_LIMITED', undefined, 2],
  ['breaks off', { text: 'one two three', dropAfter: 2 }, 504, 'AI_TIMEOUT', 'one two', 1],
  ['falls silent', { text: 'one two three', hangAfter: 2 }, 504, 'AI_TIMEOUT', 'one two', 1]])
  test(`a provider that ${what}: ${code}, and the call goes on`, async () => {
    const s = await newCall(owner);
    const mark = unique('provider');
    const r = await turn(s, `${mark} ${fake(how)}`);
    assert.deepEqual([r.status, r.json.code], [status, code]);
    assert.equal((await asked(mark)).length, times);
    const error = unbilled(await history(owner, s.id)).at(-1);
    assert.deepEqual([error.type, error.payload.code], ['call.error', code]);
    assert.deepEqual((await messages(s)).map((m) => m.content).slice(1), said ? [said] : []);
    assert.equal((await turn(s, fake({ text: 'All is well again.' }))).status, 200);
  });

test('nothing that was said is in the gateway\'s files', async () => {
  const s = await newCall(owner);
  const [words, answer] = ['words', 'answer'].map(unique);
  await turn(s, `${words} ${fake({ text: answer })}`);
  await action('execute', { sessionId: s.id, actionId: unique('act'), actionType: 'cv.generate', payload: { instructions: words } });
  const files = fs.readdirSync(dir, { withFileTypes: true, recursive: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath ?? f.path, f.name));
  const found = (text) => files.filter((f) => fs.readFileSync(f).includes(text));
  assert.deepEqual([found(words), found(answer)], [[], []]);
  assert.notDeepEqual(found('Recruitment call assistant'), [], 'what is there is found');
});

test('a wrong token: AI_REFUSED, until it is the right one', async () => {
  const set = (input) => execFileSync(new URL('../stack', import.meta.url).pathname, ['ctl', 'openclaw', 'set-token'], { input, stdio: ['pipe', 'ignore', 'ignore'] });
  const s = await newCall(owner);
  const say = async () => (await call('POST', `/v1/call/sessions/${s.id}/turn`, { token: owner, body: { text: fake({ text: 'yes' }) } })).json;
  set('this-is-not-the-token-of-that-gateway');
  kill('openclaw');
  await until('AI_REFUSED', async () => (await say()).code === 'AI_REFUSED', 30);
  set(gatewayToken);
  kill('openclaw');
  await until('an answer', async () => (await say()).ok, 30);
});

test('the gateway is killed: AI_UNREACHABLE; it starts again: readiness and answers come back', async () => {
  const s = await newCall(owner);
  process.kill((await gateway()).pid, 'SIGKILL');
  await until('its end', async () => !(await gateway()).running);
  const r = await turn(s, fake({ text: 'yes' }));
  assert.deepEqual([r.status, r.json.code], [503, 'AI_UNREACHABLE']);
  await until('readiness to go', async () => !await ready(), 30);
  assert.equal((await fetch(`${url}/health`)).status, 200, 'all else works');
  await start();
  await until('readiness to come back', ready, 400);
  assert.equal((await turn(s, fake({ text: 'yes' }))).status, 200);
});
