// Turns as the predecessor's clients know them: what is told in which order, once, to whom; and who may ask.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { asked, chat, fake, messages, newCall, scripted, turn } from './ai.mjs';
import { call, history, ingestToken, operator, unbilled, unique, until, url, userToken } from './client.mjs';
import { Listener, counted } from './sse.mjs';

const account = unique('acct');
const who = {};
before(() => {
  operator('account', 'set', account, '--delivery-url', 'https://hooks.example.com/outreach');
  for (const role of ['owner', 'member', 'viewer']) who[role] = userToken(`${account}-${role}`, { account, role });
  who.colleague = userToken(`${account}-colleague`, { account, role: 'member' });
  who.stranger = userToken(unique('stranger'));
});

const newest = () => newCall(who.member);
const post = (path, token, body, headers) => call('POST', path, { token, body, headers });
const is = (r, status, code) => assert.deepEqual([r.status, r.json.code], [status, code], r.text.slice(0, 300));
const bare = (r) => ({ status: r.status, ...r.json, requestId: undefined, traceId: undefined });
const told = async (s) => (await history(s.token, s.id)).slice(2);
const agent = (e) => e.type === 'transcript.final' && e.payload.speaker === 'agent';
const speaking = (s) => until('the first words', async () => (await told(s)).some((e) => e.type === 'transcript.delta'));
const slow = { deltas: counted(20).map((n) => `word${n} `), delayMs: 150 };

const outreach = '[UI:DELIVERABLE_OUTREACH]{"messages":[{"id":"m1","channel":"email","body":"May I call you?"}]}[/UI:DELIVERABLE_OUTREACH]';
const tags = `Let me help. [UI:SPEAKER_CHANGE speaker="mariana"][UI:MODE_ACTIVATE mode="cv" context="{}"]Here is a draft.${outreach}`
  + '[UI:CONFIRM_REQUIRED actionId="send-1" message="Shall I send it?" riskTier="high" timeout="30000"][UI:MODE_DEACTIVATE mode="cv"]';

test('a call\'s turn: the order of its events, and every one is where its answer says', scripted, async () => {
  const s = await newest();
  const turnId = unique('turn');
  const r = await turn(s, { text: tags }, { turnId, captureAtMs: Date.now() - 50 });
  assert.equal(r.status, 200, r.text.slice(0, 300));
  assert.deepEqual([r.json.sessionId, r.json.conversationId, r.json.turnId, r.json.speaker], [s.id, s.id, turnId, 'mariana']);
  assert.doesNotMatch(r.json.text.content, /\[|UI:|\{/);
  const events = await told(s);
  for (const e of r.json.events) assert.deepEqual(events.find((x) => x.sequence === e.sequence), e);
  assert.deepEqual(r.json.events.map((e) => e.type), ['call.turn.owner_changed', 'transcript.final', 'call.turn.owner_changed', 'transcript.final', 'call.turn.timing',
    'orchestration.action.requested', 'action.proposed', 'orchestration.action.requested', 'action.proposed', 'action.requires_confirmation']); // questions last
  const [userOwns, user, agentOwns, final, timing, mode, draft, off, sending, question] = r.json.events.map((e) => e.payload);
  assert.deepEqual(userOwns, { callId: s.id, owner: 'user', reason: 'user_turn_started', turnId });
  assert.deepEqual([user.speaker, user.startMs, user.endMs], ['user', 0, 0]);
  assert.match(user.utteranceId, /^utt_user_[0-9a-f]{16}$/);
  assert.deepEqual([agentOwns.owner, agentOwns.reason], ['agent', 'assistant_processing']);
  assert.deepEqual([final.speaker, final.text], ['agent', r.json.text.content]);
  assert.match(final.utteranceId, /^utt_agent_[0-9a-f]{16}$/);
  assert.deepEqual(Object.keys(timing).sort(), ['callId', 'captureToBackendMs', 'orchestratorMs', 'playbackStartMs', 'sloBreached', 'thresholdMs', 'totalMs', 'turnId']);
  assert.ok(timing.captureToBackendMs >= 50 && timing.totalMs >= timing.captureToBackendMs && timing.thresholdMs === 2500);
  assert.deepEqual([mode.actionType, mode.uiEvent.type, off.actionType], ['mode.activate.cv', 'mode.activate', 'mode.deactivate.cv']);
  assert.equal(draft.actionType, 'deliverable.outreach.generated');
  assert.deepEqual([draft.deliverable.version, draft.deliverable.requireConfirmation], [1, true]);
  assert.deepEqual([sending.actionType, question.actionId, question.uiEvent.type], ['outreach.requestSend', sending.actionId, 'confirm.required']);
  const order = events.map((e) => e.type).filter((t) => t !== 'transcript.delta');
  assert.deepEqual(order.slice(0, 4), ['call.turn.owner_changed', 'transcript.final', 'call.turn.owner_changed', 'transcript.final']);
  const confirmed = await post('/v1/orchestration/actions/confirm', s.token, { sessionId: s.id, actionId: question.actionId, confirmationToken: question.confirmationToken });
  assert.equal(confirmed.status, 200, 'the model proposed it; a human has it done');
  assert.deepEqual((await messages(s)).map((m) => [m.role, m.content]), [['user', fake({ text: tags })], ['assistant', r.json.text.content]]);
});

test('what the model proposes is only proposed, and what makes no sense is left out on record', scripted, async () => {
  const s = await newest();
  const r = await turn(s, { text: 'I suggest this.', tools: [{ name: 'propose_cv', args: { instructions: 'short' } }, { name: 'propose_cv', args: { to: 'all' } }] });
  assert.equal(r.status, 200, r.text.slice(0, 300));
  const tail = r.json.events.slice(5);
  assert.deepEqual(tail.map((e) => [e.type, e.payload.actionType]), [['action.proposed', 'cv.generate'], ['safety.blocked', 'cv.generate']]);
  assert.equal(tail[1].payload.policyId, 'policy.proposal.invalid');
  assert.deepEqual((await call('GET', '/v1/deliverables?sessionId=' + s.id, { token: s.token })).json.deliverables, []);
  const done = await post('/v1/orchestration/actions/execute', s.token, { sessionId: s.id, actionId: tail[0].payload.actionId, actionType: 'cv.generate' });
  assert.deepEqual([done.status, done.json.result?.version], [200, 1], done.text.slice(0, 300));
});

test('who may have a turn in a call: its user and who runs the account, in a call that is not over', scripted, async () => {
  const s = await newest();
  for (const [name, status, code] of [['stranger', 404, 'SESSION_NOT_FOUND'], ['viewer', 403, 'FORBIDDEN'], ['colleague', 403, 'FORBIDDEN']])
    is(await turn({ ...s, token: who[name] }, 'Hello'), status, code);
  assert.ok([401, 403].includes((await turn({ ...s, token: ingestToken }, 'Hello')).status));
  is(await turn(s, 'Hello', { userId: 'somebody' }), 403, 'CROSS_USER_FORBIDDEN');
  is(await turn({ ...s, id: unique('none') }, 'Hello'), 404, 'SESSION_NOT_FOUND');
  assert.deepEqual(await told(s), [], 'and nothing was heard of it');
  assert.equal((await turn({ ...s, token: who.owner }, 'Hello')).status, 200);
  await post(`/v1/call/sessions/${s.id}/state`, s.token, { status: 'ended' });
  is(await turn(s, 'Hello'), 409, 'INVALID_TRANSITION');
});

test('the same turn again, by its key or its id, is the same answer, and the model is asked once', scripted, async () => {
  for (const again of [{ headers: { 'idempotency-key': unique('key') } }, { more: { turnId: unique('turn') } }]) {
    const s = await newest();
    const mark = unique('mark');
    const say = (text) => turn(s, `${text} ${fake({ text: 'Once.', firstMs: 200 })}`, again.more, { headers: again.headers });
    const answers = await Promise.all(counted(6).map(() => say(mark)));
    for (const r of [...answers, await say(mark)]) assert.deepEqual(bare(r), bare(answers[0]));
    assert.equal(answers[0].json.text.content, 'Once.');
    is(await say(`${mark} other words`), 409, 'IDEMPOTENCY_CONFLICT');
    assert.equal((await asked(mark)).length, 1);
    assert.equal((await told(s)).filter(agent).length, 1);
  }
});

test('one turn at a time: another waits, is refused, or takes its place, as it asks', scripted, async () => {
  const s = await newest();
  const first = turn(s, slow);
  await speaking(s);
  is(await turn(s, 'Hello', { whenBusy: 'refuse' }), 409, 'TURN_BUSY');
  const queued = [turn(s, { text: 'Second.' }), turn(s, { text: 'Third.' })];
  const answers = await Promise.all([first, ...queued]);
  assert.deepEqual(answers.map((r) => r.status), [200, 200, 200]);
  assert.deepEqual((await told(s)).filter(agent).map((e) => e.payload.text).sort(), ['Second.', 'Third.', slow.deltas.join('').trim()].sort());
  assert.equal((await told(s)).find(agent).payload.text, slow.deltas.join('').trim(), 'nobody was talked over');
  const replaced = turn(s, slow);
  await until('its words', async () => (await told(s)).filter((e) => e.type === 'transcript.delta' && e.payload.offset === 0).length >= 4);
  const next = await turn(s, { text: 'Instead.' }, { whenBusy: 'replace' });
  is(await replaced, 409, 'TURN_CANCELLED');
  assert.equal(next.json.text.content, 'Instead.');
  const cut = (await told(s)).filter(agent).at(-2).payload;
  assert.equal(cut.cut, true);
  assert.ok(slow.deltas.join('').startsWith(cut.text));
});

test('more than may wait are refused at once, and those who wait are served', scripted, async () => {
  const s = await newest();
  const first = turn(s, slow);
  await speaking(s);
  const answers = await Promise.all([first, ...counted(6).map((n) => turn(s, { text: `n${n}` }))]);
  const codes = answers.map((r) => r.json.code ?? 'OK').sort();
  assert.deepEqual(codes, ['OK', 'OK', 'OK', ...Array(4).fill('TURN_QUEUE_FULL')]);
});

test('stop: what was said is kept, cut there; nothing is stopped twice', scripted, async () => {
  const s = await newest();
  const running = turn(s, slow);
  await speaking(s);
  is(await post(`/v1/call/sessions/${s.id}/turn/stop`, who.viewer, {}), 403, 'FORBIDDEN');
  is(await post(`/v1/call/sessions/${s.id}/turn/stop`, who.stranger, {}), 404, 'SESSION_NOT_FOUND');
  const stop = await post(`/v1/call/sessions/${s.id}/turn/stop`, s.token, {});
  assert.deepEqual([stop.status, stop.json.stopped], [200, true], stop.text);
  const r = await running;
  is(r, 409, 'TURN_CANCELLED');
  assert.equal((await post(`/v1/call/sessions/${s.id}/turn/stop`, s.token, {})).json.stopped, false);
  const events = unbilled(await told(s));
  const said = events.filter((e) => e.type === 'transcript.delta').map((e) => e.payload.text).join('');
  assert.deepEqual([events.at(-2).payload.text, events.at(-2).payload.cut, r.json.text.content], [said, true, said]);
  assert.deepEqual([events.at(-1).type, events.at(-1).payload.owner], ['call.turn.owner_changed', 'user']);
  assert.deepEqual((await messages(s)).map((m) => m.state), ['complete', 'cut']);
  assert.equal((await turn(s, { text: 'Go on.' })).json.text.content, 'Go on.');
});

test('a client that leaves stops its turn; one that waits beside it keeps it', scripted, async () => {
  const s = await newest();
  const left = new AbortController();
  const ask = (text, headers, signal) => fetch(`${url}/v1/call/sessions/${s.id}/turn`, { method: 'POST', signal, body: JSON.stringify({ text }),
    headers: { authorization: `Bearer ${s.token}`, 'content-type': 'application/json', ...headers } });
  const alone = ask(fake(slow), {}, left.signal).catch(() => 'left');
  await speaking(s);
  left.abort();
  assert.equal(await alone, 'left');
  await until('the end of its turn', async () => (await told(s)).find((e) => agent(e) && e.payload.cut));
  const headers = { 'idempotency-key': unique('key') };
  const leaves = new AbortController();
  const text = fake({ ...slow, delayMs: 80 });
  const one = ask(text, headers, leaves.signal).catch(() => 'left');
  const other = ask(text, headers).then((r) => r.json());
  await until('its words', async () => (await told(s)).filter((e) => e.type === 'transcript.delta' && e.payload.offset === 0).length >= 2);
  leaves.abort();
  assert.equal(await one, 'left');
  assert.equal((await other).text.content, slow.deltas.join('').trim());
});

for (const kind of ['call', 'chat'])
  test(`listeners of a ${kind} hear the words as they come, each once, in its place`, scripted, async () => {
    const s = kind === 'call' ? await newest() : { id: unique('conv'), token: who.member };
    if (kind === 'chat') await chat(s.token, { conversationId: s.id, messages: [{ role: 'user', content: fake({ text: 'First.' }) }] });
    const before = (await history(s.token, s.id)).length;
    const listener = new Listener(s.token, s.id, { after: before });
    await listener.ready();
    const running = kind === 'call' ? turn(s, slow) : post('/v1/chat/turn', s.token, { conversationId: s.id, text: fake(slow) });
    await until('the first words, while it goes on', () => listener.events.some((e) => e.type === 'transcript.delta'));
    assert.ok(!listener.events.some(agent));
    const r = await running;
    assert.equal(r.status, 200, r.text.slice(0, 300));
    await until('the last', () => listener.events.some(agent));
    listener.close();
    const deltas = listener.events.filter((e) => e.type === 'transcript.delta').map((e) => e.payload);
    assert.ok(deltas.length > 1);
    assert.equal(deltas.map((d) => d.text).join(''), kind === 'call' ? r.json.text.content : r.json.text);
    assert.deepEqual(listener.sequences, counted(before + listener.sequences.length, before + 1));
  });
