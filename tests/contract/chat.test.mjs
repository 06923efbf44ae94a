// Chats: the stream of the UI contract v1.0 as browsers have it, and conversations that are kept, listed and forgotten.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, fake, messages, scripted } from './ai.mjs';
import { call, history, unique, until, url, userToken } from './client.mjs';
import { counted } from './sse.mjs';

const token = userToken(unique('user'));
const origin = 'https://app.example';
const user = (content) => [{ role: 'user', content }];
const post = (path, body, more = {}) => call('POST', path, { token, body, ...more });
const one = (frames, type) => frames.filter((f) => f.type === type);

const said = 'Let me help. Here is a draft.';
const deltas = ['Let me ', 'help. ', '[UI:SPEAKER_CHANGE speaker="mari', 'ana"][UI:MODE_ACTIVATE mode="outreach" context="{}"]', 'Here is a draft.', '[UI:DELIVERABLE_OUT',
  'REACH]{"messages":[{"channel":"email","body":"May I ', 'call you?"}]}[/UI:DELIVERABLE_OUTREACH]', '[UI:CONFIRM_REQUIRED actionId="agree-1" message="Is that', ' right?" riskTier="high" timeout="30000"]',
  '[UI:MODE_DEACTIVATE mode="out', 'reach"]'];

test('a stream as a browser has it: envelopes, in order, without half a tag, and each question once', scripted, async () => {
  const res = await fetch(`${url}/v1/chat/stream`, { method: 'POST', body: JSON.stringify({ conversationId: null, persona: 'both', messages: user(fake({ deltas, delayMs: 20 })) }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', origin } });
  assert.deepEqual([res.status, res.headers.get('content-type'), res.headers.get('access-control-allow-origin')], [200, 'text/event-stream; charset=utf-8', '*']);
  assert.match(res.headers.get('cache-control'), /no-store|no-cache/);
  const text = await res.text();
  const frames = text.split('\n\n').filter((b) => b && !b.startsWith(':')).map((b) => {
    const [, event, data] = /^event: (\S+)\ndata: (.*)$/.exec(b) ?? assert.fail(`no frame: ${b}`);
    const frame = JSON.parse(data);
    assert.deepEqual([frame.v, frame.type, typeof frame.payload, typeof frame.ts], ['1.0', event, 'object', 'number']);
    return frame;
  });
  const types = frames.map((f) => f.type).filter((t, i, all) => t !== all[i - 1]);
  assert.deepEqual(types, ['status', 'text.delta', 'speaker.change', 'mode.activate', 'text.delta', 'mode.deactivate', 'deliverable.outreach', 'confirm.required', 'text.done', 'done']);
  const parts = one(frames, 'text.delta').map((f) => f.payload);
  let full = '';
  for (const p of parts) assert.equal(p.fullText, full += p.delta);
  assert.equal(full.replace(/\s+/g, ' '), said);
  const [done] = one(frames, 'text.done');
  assert.deepEqual([done.payload.fullText, done.payload.speaker], [full, 'mariana']);
  assert.equal(new Set([...parts, done.payload].map((p) => p.messageId)).size, 1);
  const [question] = one(frames, 'confirm.required').map((f) => f.payload);
  assert.deepEqual([question.message, question.timeout > 0, question.expiresAt - question.startedAt], ['Is that right?', true, question.timeout]);
  assert.match(question.confirmationToken, /^confirm_/);
  for (const k of ['actionId', 'riskTier', 'details']) assert.ok(question[k], k);
  const [draft] = one(frames, 'deliverable.outreach').map((f) => f.payload);
  assert.deepEqual([draft.version, draft.requireConfirmation, draft.data.messages[0].body], [1, true, 'May I call you?']);
  const last = frames.at(-1).payload;
  assert.deepEqual([last.ok, last.contract, typeof last.conversationId], [true, 'v1.0', 'string']);
  const confirmed = await post('/v1/orchestration/actions/confirm', { sessionId: last.conversationId, actionId: question.actionId, confirmationToken: question.confirmationToken });
  assert.deepEqual([confirmed.status, confirmed.json.code], [409, 'DELIVERY_NOT_CONFIGURED'], 'nobody set where to');
});

test('the frames of a stream, its answer as one, and what is stored are the same turn', scripted, async () => {
  const id = unique('conv');
  const headers = { 'idempotency-key': unique('key') };
  const body = { conversationId: id, messages: user(fake({ text: 'Grüße: 你好 🙂 and [brackets].' })) };
  const whole = await post('/v1/chat/turn', body, { headers });
  assert.equal(whole.status, 200, whole.text.slice(0, 300));
  assert.deepEqual([whole.json.contract, whole.json.conversationId, whole.json.text, whole.json.legacy], ['v1.0', id, 'Grüße: 你好 🙂 and [brackets].', { speaker: whole.json.speaker, text: whole.json.text }]);
  assert.ok(!('events' in whole.json), 'no events, no list');
  const again = await fetch(`${url}/v1/chat/stream`, { method: 'POST', body: JSON.stringify(body), headers: { ...headers, authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
  const text = await again.text();
  assert.ok(text.includes(`"fullText":"${whole.json.text}"`) && text.includes(`"turnId":"${whole.json.turnId}"`));
  const stored = await messages({ id, token });
  assert.deepEqual(stored.map((m) => [m.ordinal, m.role, m.state, m.content]), [[1, 'user', 'complete', body.messages[0].content], [2, 'assistant', 'complete', whole.json.text]]);
  assert.equal(stored[1].messageId, whole.json.messageId);
});

test('of two streams of one turn both hear all of it, also who comes late', scripted, async () => {
  const body = { conversationId: unique('conv'), turnId: unique('turn'), messages: user(fake({ deltas: counted(12).map((n) => `w${n} `), delayMs: 80 })) };
  const first = chat(token, body);
  await until('its words', async () => (await call('GET', `/v1/realtime/sessions/${body.conversationId}/events?afterSequence=0`, { token })).json?.events?.some((e) => e.type === 'transcript.delta'));
  const all = await Promise.all([first, ...counted(4).map(() => chat(token, body))]);
  const full = counted(12).map((n) => `w${n}`).join(' ');
  for (const r of all) {
    assert.equal(r.of('text.delta').map((p) => p.delta).join(''), full);
    assert.deepEqual([r.of('text.done').length, r.of('text.done')[0].fullText, r.of('done')[0].ok], [1, full, true]);
  }
});

test('a client\'s own words from before are context once, and messages of one conversation have ids of their own', scripted, async () => {
  const id = unique('conv');
  const before = [{ role: 'user', content: 'I bake bread.' }, { role: 'assistant', content: 'Good.' }];
  await chat(token, { conversationId: id, messages: [...before, ...user(fake({ text: 'One.' }))] });
  await chat(token, { conversationId: id, messages: [...before, ...user(fake({ text: 'Two.' }))] });
  const stored = await messages({ id, token });
  assert.deepEqual(stored.map((m) => m.role), ['user', 'assistant', 'user', 'assistant']);
  assert.equal(new Set(stored.map((m) => m.messageId)).size, 4);
  const log = await (await fetch(`${process.env.LIFEOS_OPENCLAW_CONTROL}/__log?match=${encodeURIComponent('Two.')}`)).json();
  assert.ok(JSON.stringify(log.at(-1).body).includes('One.'), 'what was said here counts');
});

test('stop ends a chat\'s stream with what was said', scripted, async () => {
  const id = unique('conv');
  const running = chat(token, { conversationId: id, messages: user(fake({ deltas: counted(30).map((n) => `w${n} `), delayMs: 150 })) });
  await until('its words', async () => (await call('GET', `/v1/realtime/sessions/${id}/events?afterSequence=0`, { token })).json?.events?.some((e) => e.type === 'transcript.delta'));
  assert.equal((await post('/v1/chat/stop', { conversationId: id })).json.stopped, true);
  const r = await running;
  assert.deepEqual([r.of('error')[0].code, r.frames.at(-1).type, r.frames.at(-1).payload.ok], ['TURN_CANCELLED', 'done', false]);
  const kept = (await messages({ id, token })).at(-1);
  assert.deepEqual([kept.state, kept.content], ['cut', r.of('text.delta').map((p) => p.delta).join('')]);
});

test('conversations are listed newest first, read by their own, and forgotten for good', scripted, async () => {
  const account = unique('acct');
  const of = (name, role = 'member') => userToken(`${account}-${name}`, { account, role });
  const [mine, other, viewer, stranger] = [of('me'), of('other'), of('viewer', 'viewer'), userToken(unique('user'))];
  const ids = counted(3).map(() => unique('conv'));
  for (const id of ids) await chat(mine, { conversationId: id, messages: user(`My secret is ${id}`) });
  const list = (t, query = '') => call('GET', `/v1/chat/conversations${query}`, { token: t });
  const page = (await list(mine, '?limit=2')).json;
  assert.deepEqual(page.conversations.map((c) => c.conversationId), [ids[2], ids[1]]);
  const rest = (await list(mine, `?limit=2&cursor=${encodeURIComponent(page.page.nextCursor)}`)).json;
  assert.deepEqual([rest.conversations.map((c) => c.conversationId), rest.page.hasMore], [[ids[0]], false]);
  assert.deepEqual((await list(other)).json.conversations, []);
  assert.equal((await list(viewer)).json.conversations.length, 3);
  const at = (t, method = 'GET') => call(method, `/v1/chat/conversations/${ids[0]}`, { token: t });
  assert.deepEqual([(await at(mine)).status, (await at(viewer)).status, (await at(other)).json.code, (await at(stranger)).json.code], [200, 200, 'FORBIDDEN', 'CONVERSATION_NOT_FOUND']);
  for (const t of [other, viewer]) assert.equal((await at(t, 'DELETE')).json.code, 'FORBIDDEN');
  assert.equal((await at(stranger, 'DELETE')).json.code, 'CONVERSATION_NOT_FOUND');
  assert.equal((await at(mine, 'DELETE')).status, 200);
  assert.equal((await at(mine)).json.code, 'CONVERSATION_NOT_FOUND');
  const gone = await call('GET', `/v1/realtime/sessions/${ids[0]}/events?afterSequence=0`, { token: mine });
  assert.ok(!gone.text.includes(ids[0]) || !gone.text.includes('secret'), 'nor do its events say it');
  assert.equal((await call('POST', '/v1/chat/turn', { token: mine, body: { conversationId: ids[0], text: 'Hello' } })).json.code, 'CONVERSATION_NOT_FOUND');
  assert.equal((await list(mine)).json.conversations.length, 2);
  assert.equal((await history(mine, ids[1])).length > 0, true, 'the others are there');
});
