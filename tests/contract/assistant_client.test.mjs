// assistant.js as its users have it, on the real appliance with a scripted gateway: turns, streams, actions, deliverables.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Assistant } from '../../daemons/frontend/web/assistant.js';
import { Realtime, Transcript } from '../../daemons/frontend/web/realtime.js';
import { call, kill, newSession, operator, unique, until, url } from './client.mjs';

const control = process.env.LIFEOS_OPENCLAW_CONTROL;
const skip = !control && 'there is no scripted gateway here';
const open = [];
afterEach(() => { for (const x of open.splice(0)) x.close(); });

const fake = (turn) => `@@fake${JSON.stringify(turn)}@@`;
const asked = async (mark) => (await (await fetch(`${control}/__log?match=${mark}`)).json()).length;
/** What the appliance refused, or how it failed. */
const fails = (promise) => promise.then(() => assert.fail('it did not fail'), (error) => error);

async function scene() {
  const s = await newSession();
  const rt = new Realtime({ url, token: s.token, transport: 'sse', storage: null, backoff: { min: 50, max: 500 } });
  open.push(rt);
  return { ...s, rt, ai: new Assistant(rt) };
}

test('a turn is answered; the same turn again is the same answer, and the gateway is not asked', { skip }, async () => {
  const { ai, id } = await scene(), mark = unique('mark'), turnId = unique('turn');
  const words = `Hello ${mark} ${fake({ text: 'Good morning.' })}`;
  const one = await ai.turn(id, words, { turnId });
  assert.equal(one.text.content, 'Good morning.');
  assert.deepEqual(await ai.turn(id, words, { turnId }), one);
  assert.equal(await asked(mark), 1);
});

test('the deltas that listeners hear add up to the answer, also from the middle', { skip }, async () => {
  const { ai, id, rt } = await scene();
  const all = new Transcript(), seen = [];
  rt.session(id).on('event', (e) => { all.add(e); seen.push(e); });
  const answer = ai.turn(id, fake({ deltas: ['Öne ', 'twö ', 'three ', 'four ', 'five.'], delayMs: 200 }));
  await until('a part of it', () => all.list().some((u) => u.speaker === 'agent' && !u.final && u.text.startsWith('Öne')));
  const { text } = await answer;
  await until('the final', () => all.list().some((u) => u.speaker === 'agent' && u.final));
  assert.equal(all.list().at(-1).text, text.content);
  const deltas = seen.filter((e) => e.type === 'transcript.delta');
  assert.ok(deltas.length >= 2);
  const whole = new Transcript(), late = new Transcript();
  for (const e of [...deltas].reverse()) whole.add(e);
  for (const e of deltas.slice(1)) late.add(e);
  assert.equal(whole.list()[0].text, text.content);
  assert.ok(text.content.endsWith(late.list()[0].text) && late.list()[0].text.length > 0);
});

test('a failed turn says why, is not tried again by itself, and a new one is', { skip }, async () => {
  const { ai, id } = await scene(), mark = unique('mark');
  const error = await fails(ai.turn(id, `${mark} ${fake({ deltas: ['half'], dropAfter: 1 })}`));
  assert.equal(error.code, 'AI_CUT_OFF');
  assert.equal(error.body.text.content, 'half');
  assert.equal(await asked(mark), 1);
  assert.equal((await ai.turn(id, fake({ text: 'Now.' }))).text.content, 'Now.');
});

test('a chat streams frames in their order, and its conversation goes on', { skip }, async () => {
  const { ai } = await scene();
  const chat = ai.stream(fake({ deltas: ['One ', 'two.'] })), types = [];
  for await (const frame of chat) types.push(frame.type);
  const { conversationId } = await chat.result;
  assert.equal(chat.text, 'One two.');
  assert.equal(types[0], 'status');
  assert.deepEqual(types.filter((t) => t.startsWith('text.d')).at(-1), 'text.done');
  assert.equal(types.at(-1), 'done');
  const next = await ai.chat(fake({ text: 'Three.' }), { conversationId });
  assert.equal(next.conversationId, conversationId);
  const { messages } = await ai.conversations.get(conversationId);
  assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant', 'user', 'assistant']);
});

test('a stopped stream says so, and what was said is kept', { skip }, async () => {
  const { ai } = await scene();
  const chat = ai.stream(fake({ endless: true, delayMs: 20 }));
  await until('some of it', () => chat.text.includes('on and on'));
  await chat.stop();
  assert.equal((await fails(chat.result)).code, 'TURN_CANCELLED');
});

test('while the daemon restarts the same request is sent again, and answered once', { skip }, async () => {
  const { ai, id } = await scene(), mark = unique('mark');
  kill('openclaw');
  assert.equal((await ai.turn(id, `${mark} ${fake({ text: 'Still here.' })}`)).text.content, 'Still here.');
  assert.equal(await asked(mark), 1);
});

test('what the policy holds back is an answer, confirmed once, and the deliverable is a version', { skip }, async () => {
  const { ai, id, user, token } = await scene();
  operator('account', 'set', user, '--delivery-url', 'https://customer.example/in');
  const { deliverable } = await ai.deliverables.create({ kind: 'outreach', sessionId: id, markdown: 'Dear manager,\n' });
  const send = await ai.actions.execute(id, { actionType: 'outreach.requestSend', payload: { deliverableId: deliverable.deliverableId } });
  assert.deepEqual([send.blocked, send.code, typeof send.confirmationToken], [true, 'SAFETY_BLOCKED', 'string']);
  const { action } = await ai.actions.get(id, send.actionId);
  assert.equal(action.status, 'requires_confirmation');
  const done = await ai.actions.confirm(id, send.actionId, send.confirmationToken);
  assert.equal(done.ack.status, 'executed');
  assert.equal((await fails(ai.actions.confirm(id, send.actionId, send.confirmationToken))).code, 'ACTION_STATE');
  assert.equal((await ai.actions.get(id, send.actionId)).action.resultRef, done.result.resultRef);
  await ai.deliverables.put(deliverable.deliverableId, 1, { markdown: 'Dear manager,\nhello\n' });
  assert.equal((await fails(ai.deliverables.put(deliverable.deliverableId, 1, { markdown: 'late' }))).code, 'DELIVERABLE_CONFLICT');
  const { hunks } = await ai.deliverables.diff(deliverable.deliverableId, 1, 2);
  assert.deepEqual(hunks.map((h) => [h.removed, h.added]), [[[], ['hello']]]);
  const events = (await call('GET', `/v1/realtime/sessions/${id}/events?limit=500`, { token })).json.events;
  assert.equal(events.filter((e) => e.type === 'action.executed').length, 1);
});

test('a declined action is never done', { skip }, async () => {
  const { ai, id, user } = await scene();
  operator('account', 'set', user, '--delivery-url', 'https://customer.example/in');
  const send = await ai.actions.execute(id, { actionType: 'outreach.requestSend', payload: { data: { message: 'hi' }, recipient: 'x@example.com' } });
  await ai.actions.decline(id, send.actionId);
  assert.equal((await fails(ai.actions.confirm(id, send.actionId, send.confirmationToken))).status >= 400, true);
  assert.equal((await ai.actions.get(id, send.actionId)).action.status, 'declined');
});
