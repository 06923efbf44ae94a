// Actions: what is dangerous waits for a human, whose token permits exactly what he saw, once.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call, history, ingestToken, operator, unbilled, unique, until, userToken } from './client.mjs';
import { sql } from '../faults/database.mjs';
import { newCall, scripted } from './ai.mjs';
import { counted } from './sse.mjs';

const url = 'https://hooks.example.com/outreach';
const database = process.env.LIFEOS_PG ? {} : { skip: 'the database cannot be looked into here' };
const EXECUTE = '/v1/orchestration/actions/execute';
const CONFIRM = '/v1/orchestration/actions/confirm';
const message = { data: { subject: 'Hello', body: 'May I call you?', recipient: 'hr@example.com' } };

const account = unique('acct');
const who = {};
before(() => {
  operator('account', 'set', account, '--delivery-url', url);
  for (const role of ['owner', 'admin', 'member', 'viewer']) who[role] = userToken(`${account}-${role}`, { account, role });
  who.colleague = userToken(`${account}-colleague`, { account, role: 'member' });
  who.stranger = userToken(unique('stranger'));
});

const session = () => newCall(who.member);
const post = (path, token, body, headers) => call('POST', path, { token, body, headers });
const execute = (s, actionId, more = {}, { token = s.token, headers } = {}) =>
  post(EXECUTE, token, { sessionId: s.id, actionId, actionType: 'outreach.requestSend', ...more }, headers);
const confirm = (s, actionId, confirmationToken, { token = s.token, headers } = {}) =>
  post(CONFIRM, token, { sessionId: s.id, actionId, confirmationToken }, headers);
const get = async (path, token) => (await call('GET', path, { token })).json;
const action = async (s, id) => (await get(`/v1/orchestration/sessions/${s.id}/actions/${id}`, s.token)).action;
const types = async (s) => unbilled(await history(s.token, s.id)).slice(2).map((e) => e.type);
const is = (r, status, code) => assert.deepEqual([r.status, r.json.code], [status, code], r.text.slice(0, 300));

/** What was handed out for this session: [action, payload]. */
const sent = (s) => (process.env.LIFEOS_PG
  ? sql(`SELECT action_id, payload, encode(payload_hash, 'hex') = encode(sha256(convert_to(payload::text, 'UTF8')), 'hex'), url FROM lifeos.outbox
         WHERE session_id = '${s.id}' ORDER BY created_at`).map(([id, payload, exact, to]) => {
    assert.deepEqual([exact, to], ['t', url]);
    return [id, JSON.parse(payload)];
  }) : []);
const none = (s) => assert.deepEqual(sent(s), []);
const once = (s, id, body) => { if (process.env.LIFEOS_PG) assert.deepEqual(sent(s).map(([a, p]) => [a, p.message.body]), [[id, body]]); };

/** An action that waits, and the token that was issued for it. */
async function waiting(more = {}) {
  const s = await session();
  const id = unique('act');
  const r = await execute(s, id, { payload: message, ...more });
  is(r, 403, 'SAFETY_BLOCKED');
  return { s, id, token: r.json.confirmationToken, r };
}

test('drafting is not sending: a CV is generated at once, and stays as a version with its hash and its author', scripted, async () => {
  const s = await session();
  const id = unique('act');
  const r = await execute(s, id, { actionType: 'cv.generate', payload: { instructions: 'for a baker' } });
  assert.equal(r.status, 200, r.text.slice(0, 300));
  const { result, ack, decision, events } = r.json;
  assert.deepEqual([result.ok, result.actionType, result.version, r.json.metering === undefined, ack], [true, 'cv.generate', 1, false, { status: 'executed', outcomeRef: result.resultRef }]);
  assert.match(result.resultRef, /^result_[0-9a-f]{18}$/);
  assert.deepEqual(decision, { actionId: id, decision: 'approved', policyId: 'policy.default.allow', reason: 'policy_pass_non_sensitive_action' });
  const kept = (await history(s.token, s.id)).slice(2);
  assert.deepEqual(unbilled(kept).map((e) => e.type), ['orchestration.action.requested', 'safety.approved', 'action.executed']);
  for (const e of [events.requested, events.safety, events.executed]) assert.deepEqual(kept.find((k) => k.sequence === e.sequence), e);
  const { deliverable, markdown, data } = await get(`/v1/deliverables/${result.deliverableId}`, s.token);
  const { version } = deliverable;
  assert.deepEqual([deliverable.kind, version.version, version.author.kind, version.actionId], ['cv', 1, 'model', id]);
  assert.ok(version.model && version.config.instructions, 'and what made it');
  assert.match(version.contentHash, /^[0-9a-f]{64}$/);
  assert.ok(markdown.length > 0 && data.name);
  const again = await execute(s, id, { actionType: 'cv.generate', payload: { instructions: 'for a baker' } });
  assert.deepEqual(again.json, r.json, 'a repeat is the first outcome');
  assert.equal((await get(`/v1/deliverables/${result.deliverableId}/versions`, s.token)).versions.length, 1);
  const edited = await execute(s, unique('act'), { actionType: 'cv.edit', payload: { deliverableId: result.deliverableId, instructions: 'shorter' } });
  assert.deepEqual([edited.json.result.deliverableId, edited.json.result.version], [result.deliverableId, 2]);
});

test('what goes out is blocked, with a token; a repeat, and a mere userConfirmation, is blocked with the same', async () => {
  const { s, id, token, r } = await waiting();
  assert.match(token, /^confirm_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual([r.json.blocked, r.json.actionId, r.json.actionType], [true, id, 'outreach.requestSend']);
  assert.deepEqual(r.json.decision, { policyId: 'policy.external-send.confirmation', decision: 'blocked', reason: 'explicit_user_confirmation_required', actionId: id });
  const seconds = (r.json.expiresAt - Date.now()) / 1000;
  assert.ok(seconds > 200 && seconds <= 301, `it waits ${seconds} s`);
  const asked = ['orchestration.action.requested', 'safety.blocked', 'action.requires_confirmation'];
  assert.deepEqual(await types(s), asked);
  assert.equal(r.json.events.confirmation.payload.confirmationToken, token);
  for (const more of [{}, { payload: message }, { userConfirmation: true }, { userConfirmation: true, riskTier: 'read-only', payload: message }]) {
    const again = await execute(s, id, more);
    is(again, 403, 'SAFETY_BLOCKED');
    assert.equal(again.json.confirmationToken, token);
  }
  assert.deepEqual(await types(s), asked, 'and said once');
  none(s);
});

for (const [way, redeem] of [['executing again with the token', (s, id, token) => execute(s, id, { confirmationToken: token, payload: message })], ['/confirm', confirm]])
  test(`confirmed by ${way}: done once, exactly as it was shown, and on record who said yes`, async () => {
    const { s, id, token } = await waiting();
    const r = await redeem(s, id, token);
    assert.equal(r.status, 200, r.text.slice(0, 300));
    assert.deepEqual([r.json.blocked, r.json.ack.status, r.json.decision.reason], [false, 'executed', 'explicit_user_confirmation_received']);
    assert.deepEqual((await types(s)).slice(3), ['safety.approved', 'action.executed']);
    const a = await action(s, id);
    assert.deepEqual([a.status, a.decidedBy], ['executed', `${account}-member`]);
    once(s, id, message.data.body);
    assert.equal((await confirm(s, id, token)).status, 409, 'a token is used up');
    assert.deepEqual((await execute(s, id, { confirmationToken: token })).json, r.json, 'who executes again hears the first outcome');
    assert.deepEqual((await execute(s, id)).json, r.json);
    once(s, id, message.data.body);
    if (process.env.LIFEOS_PG) assert.equal(sent(s)[0][1].confirmedBy, `${account}-member`);
  });

test('an edit makes the token void; the new one sends the new words', async () => {
  const { s, id, token } = await waiting();
  const other = { data: { ...message.data, body: 'May I write to you?' } };
  const edit = (version) => post('/v1/orchestration/actions/edit', s.token, { sessionId: s.id, actionId: id, baseVersion: version, payload: other });
  const r = await edit(1);
  assert.equal(r.status, 200, r.text.slice(0, 300));
  is(await edit(1), 409, 'ACTION_STATE');
  is(await confirm(s, id, token), 403, 'CONFIRMATION_INVALID');
  is(await execute(s, id, { confirmationToken: token }), 403, 'CONFIRMATION_INVALID');
  none(s);
  assert.equal((await confirm(s, id, r.json.confirmationToken)).status, 200);
  once(s, id, other.data.body);
  is(await edit(2), 409, 'ACTION_STATE');
});

test('declined is declined: no token confirms it any more', async () => {
  for (const decision of ['declined', 'cancelled', 'timed_out']) {
    const { s, id, token } = await waiting();
    const r = await post('/v1/actions/decision', s.token, { sessionId: s.id, actionId: id, decision });
    assert.equal(r.status, 200, r.text.slice(0, 300));
    is(await confirm(s, id, token), 409, 'ACTION_STATE');
    is(await execute(s, id, { confirmationToken: token }), 409, 'ACTION_STATE');
    assert.equal((await action(s, id)).status, 'declined');
    none(s);
  }
  const { s, id, token } = await waiting();
  assert.equal((await post('/v1/actions/decision', s.token, { sessionId: s.id, actionId: id, decision: 'confirmed' })).status, 200);
  assert.equal((await action(s, id)).status, 'requires_confirmation', 'and a mere yes is none');
  assert.equal((await confirm(s, id, token)).status, 200);
});

test('a token whose time is over confirms nothing, and its action is over', database, async () => {
  for (const redeem of [confirm, (s, id, token) => execute(s, id, { confirmationToken: token })]) {
    const { s, id, token } = await waiting();
    sql(`UPDATE lifeos.confirmation SET expires_at = issued_at + 1 WHERE action_id = '${id}'`);
    is(await redeem(s, id, token), 410, 'CONFIRMATION_EXPIRED');
    is(await redeem(s, id, token), 410, 'CONFIRMATION_EXPIRED');
    assert.equal((await action(s, id)).status, 'expired');
    assert.equal((await types(s)).at(-1), 'action.failed');
    none(s);
  }
});

test('only who may: no stranger, viewer, service key, or colleague confirms; an owner or admin does', async () => {
  const { s, id, token } = await waiting();
  const refused = [['stranger', 404, 'SESSION_NOT_FOUND'], ['viewer', 403, 'FORBIDDEN'], ['colleague', 403, 'FORBIDDEN']];
  for (const [name, status, code] of refused) {
    is(await confirm(s, id, token, { token: who[name] }), status, code);
    is(await execute(s, id, { confirmationToken: token }, { token: who[name] }), status, code);
    is(await execute(s, unique('act'), { payload: message }, { token: who[name] }), status, code);
  }
  const keys = [ingestToken, process.env.LIFEOS_OPERATOR_TOKEN].filter(Boolean);
  for (const key of keys) {
    assert.ok([401, 403].includes((await confirm(s, id, token, { token: key })).status));
    assert.ok([401, 403].includes((await execute(s, id, { confirmationToken: token }, { token: key })).status));
  }
  const decline = await post('/v1/actions/decision', who.viewer, { sessionId: s.id, actionId: id, decision: 'declined' });
  assert.equal(decline.status, 200, 'a viewer may say no for the record');
  assert.equal((await action(s, id)).status, 'requires_confirmation', 'and nothing comes of it');
  none(s);
  assert.equal((await confirm(s, id, token, { token: who.owner })).status, 200);
  once(s, id, message.data.body);
  assert.equal((await action(s, id)).decidedBy, `${account}-owner`);
  const second = await waiting();
  assert.equal((await confirm(second.s, second.id, second.token, { token: who.admin })).status, 200);
});

test('a token is of one action in one session', async () => {
  const [a, b] = [await waiting(), await waiting()];
  const id = unique('act');
  const c = await execute(a.s, id, { payload: message });
  is(await confirm(a.s, id, a.token), 403, 'CONFIRMATION_INVALID');
  is(await confirm(b.s, b.id, a.token), 403, 'CONFIRMATION_INVALID');
  is(await confirm(b.s, a.id, a.token), 404, 'ACTION_NOT_FOUND');
  is(await execute(a.s, unique('act'), { confirmationToken: a.token, payload: message }), 403, 'CONFIRMATION_INVALID');
  for (const none of ['confirm_', `confirm_${'A'.repeat(43)}`, 'true', `${a.token}x`, a.token.toUpperCase()]) is(await confirm(a.s, a.id, none), 403, 'CONFIRMATION_INVALID');
  [a.s, b.s].forEach(none);
  assert.equal((await confirm(a.s, a.id, a.token)).status, 200);
  assert.equal((await confirm(a.s, id, c.json.confirmationToken)).status, 200);
  assert.deepEqual(sent(a.s).map(([x]) => x).sort(), process.env.LIFEOS_PG ? [a.id, id].sort() : []);
});

test('one id is one action: other content is a conflict, and an unknown type is nothing at all', async () => {
  const { s, id, token } = await waiting();
  is(await execute(s, id, { payload: { data: { body: 'Something else' } } }), 409, 'ACTION_CONFLICT');
  is(await execute(s, id, { payload: { data: { body: 'Something else' } }, confirmationToken: token }), 409, 'ACTION_CONFLICT');
  is(await execute(s, id, { actionType: 'cv.generate' }), 409, 'ACTION_CONFLICT');
  is(await execute(s, unique('act'), { actionType: 'bank.transfer', payload: {} }), 422, 'UNSUPPORTED_ACTION_TYPE');
  is(await execute(s, unique('act'), { actionType: 'cv.generate', payload: { to: 'everybody' } }), 422, 'ACTION_INVALID');
  assert.equal((await types(s)).length, 3);
  none(s);
  const other = await session();
  is(await execute(other, id, { payload: { data: { body: 'An id is its session\'s' } } }), 403, 'SAFETY_BLOCKED');
});

test('twenty confirm at once: one is done, and whoever repeats his request hears its outcome', async () => {
  const all = (n, fn) => Promise.all(counted(n).map(fn));
  const one = await waiting();
  const executed = await all(20, () => execute(one.s, one.id, { confirmationToken: one.token }));
  for (const r of executed) assert.deepEqual([r.status, r.json], [200, executed[0].json]);
  once(one.s, one.id, message.data.body);
  const two = await waiting();
  const headers = { 'idempotency-key': unique('key') };
  const repeated = await all(20, () => confirm(two.s, two.id, two.token, { headers }));
  for (const r of repeated) assert.deepEqual([r.status, r.json], [200, repeated[0].json]);
  once(two.s, two.id, message.data.body);
  const three = await waiting();
  const answers = await all(20, () => confirm(three.s, three.id, three.token));
  assert.deepEqual(answers.map((r) => r.json.code ?? 'done').sort(), [...Array(19).fill('ACTION_STATE'), 'done']);
  once(three.s, three.id, message.data.body);
  for (const { s } of [one, two, three]) assert.deepEqual((await types(s)).filter((t) => t === 'action.executed'), ['action.executed']);
});

test('twenty ask for one action at once: it is asked for once, and all have the one token', async () => {
  const s = await session();
  const answers = await Promise.all(counted(20).map(() => execute(s, 'same', { payload: message })));
  assert.deepEqual(answers.map((r) => r.status), Array(20).fill(403));
  assert.equal(new Set(answers.map((r) => r.json.confirmationToken)).size, 1);
  assert.equal((await types(s)).length, 3);
  const cv = await Promise.all(counted(20).map(() => until('an answer', async () => {
    const r = await execute(s, 'cv', { actionType: 'cv.generate', payload: {} });
    return r.json.code !== 'BUSY' && r; // only so many wait for one action
  })));
  for (const r of cv) assert.deepEqual([r.status, r.json], [200, cv[0].json]);
  assert.equal((await get(`/v1/deliverables/${cv[0].json.result.deliverableId}/versions`, s.token)).versions.length, 1);
});

test('confirmed, edited and declined at once: what was shown with the token, or nothing', async () => {
  const outcomes = await Promise.all(counted(12).map(async (n) => {
    const { s, id, token } = await waiting();
    const ways = [() => confirm(s, id, token), () => execute(s, id, { confirmationToken: token }),
      () => post('/v1/orchestration/actions/edit', s.token, { sessionId: s.id, actionId: id, baseVersion: 1, payload: { data: { body: 'Changed' } } }),
      () => (n % 2 ? post('/v1/actions/decision', s.token, { sessionId: s.id, actionId: id, decision: 'declined' }) : execute(s, id))];
    const answers = await Promise.all(counted(4).map((i) => ways[(i + n) % 4]()));
    assert.ok(answers.every((r) => r.status < 500));
    const done = (await types(s)).filter((t) => t === 'action.executed').length;
    const { status } = await action(s, id);
    assert.equal(done, status === 'executed' ? 1 : 0);
    if (done) once(s, id, message.data.body); else none(s);
    return status;
  }));
  assert.equal(outcomes.length, 12);
});

test('a tenant may be stricter than the policy, never laxer', async () => {
  const strict = unique('strict');
  operator('account', 'set', strict, '--delivery-url', url, '--action-rules', 'cv.generate=confirm,interview.generate=refuse');
  const s = await newCall(userToken(`${strict}-owner`, { account: strict, role: 'owner' }));
  const asked = await execute(s, 'cv', { actionType: 'cv.generate', payload: {} });
  is(asked, 403, 'SAFETY_BLOCKED');
  is(await execute(s, 'iv', { actionType: 'interview.generate', payload: {} }), 403, 'ACTION_REFUSED');
  is(await execute(s, 'iv', { actionType: 'interview.generate', payload: {} }), 403, 'ACTION_REFUSED');
  const headers = { 'idempotency-key': unique('key') };
  const done = await confirm(s, 'cv', asked.json.confirmationToken, { headers });
  assert.deepEqual([done.status, done.json.result.version], [200, 1], done.text.slice(0, 300));
  assert.deepEqual((await confirm(s, 'cv', asked.json.confirmationToken, { headers })).json, done.json);
  assert.throws(() => operator('account', 'set', strict, '--action-rules', 'outreach.requestSend=allow'));
});
