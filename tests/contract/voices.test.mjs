// Cloned voices: with their owner's consent and an approval that is in force, and silent without.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fake, newCall, scripted, turn } from './ai.mjs';
import { call, history, unique, userToken } from './client.mjs';

const account = unique('acct');
const token = (role, name = role) => userToken(`${account}-${name}`, { account, role });
const [owner, member, colleague, viewer] = [token('owner'), token('member'), token('member', 'colleague'), token('viewer')];
const approve = (t, body) => call('POST', '/v1/governance/voice-approvals', { token: t, body });
const revoke = (t, id) => call('POST', `/v1/governance/voice-approvals/${id}/revoke`, { token: t, body: {} });
const choose = (s, body, t = s.token) => call('POST', `/v1/call/sessions/${s.id}/voice`, { token: t, body });
const is = (r, status, code) => assert.deepEqual([r.status, r.json.code], [status, code], r.text.slice(0, 300));
const silenced = (r) => r.json.events.filter((e) => e.type === 'safety.blocked' && e.payload.actionType === 'voice.synthesis').map((e) => e.payload.reason);

test('a cloned voice needs consent and an approval of this account for this voice, in force', async () => {
  const s = await newCall(member);
  for (const t of [member, viewer]) is(await approve(t, { persona: 'antonio', grounds: 'signed' }), 403, 'FORBIDDEN');
  const { json } = await approve(owner, { persona: 'antonio', grounds: 'a contract signed by him' });
  const { policyApprovalId } = json.approval;
  const given = { persona: 'Antonio', userConsent: true, policyApprovalId };
  const foreign = userToken(unique('user'));
  const other = (await approve(foreign, { persona: 'antonio', grounds: 'x' })).json.approval.policyApprovalId;
  const wrong = [{ ...given, userConsent: false }, { ...given, userConsent: 'true' }, { persona: 'antonio', userConsent: true }, { ...given, policyApprovalId: 'made-up' },
    { ...given, policyApprovalId: other }, { ...given, persona: 'mariana' }];
  for (const body of wrong) {
    const r = await choose(s, body);
    assert.ok(r.json.code === 'VOICE_POLICY_BLOCKED' ? r.status === 403 && r.json.blocked && r.json.event.type === 'safety.blocked' : r.status === 400, r.text.slice(0, 300));
  }
  for (const t of [colleague, viewer]) is(await choose(s, given, t), 403, 'FORBIDDEN');
  const r = await choose(s, given);
  assert.equal(r.status, 200, r.text.slice(0, 300));
  assert.deepEqual(r.json.voiceConfig, { persona: 'antonio', voiceProfileId: 'voice.clone.antonio', label: 'Antonio Clone', clonedVoice: true, clonedVoiceConsent: true, policyApprovalId, synthesisAllowed: true });
  assert.deepEqual([r.json.events.safetyApproved.type, r.json.events.voiceConfigured.type], ['safety.approved', 'call.voice.config.updated']);
  const stored = await history(s.token, s.id);
  for (const e of Object.values(r.json.events)) assert.deepEqual(stored[e.sequence - 1], e);
  is(await choose(s, { persona: 'somebody' }), 400, 'INVALID_REQUEST');
});

test('an approval that is taken back silences the voice from the next turn on; the words go on', scripted, async () => {
  const s = await newCall(member);
  const { policyApprovalId } = (await approve(owner, { persona: 'mariana', grounds: 'a contract' })).json.approval;
  await choose(s, { persona: 'mariana', userConsent: true, policyApprovalId });
  assert.deepEqual(silenced(await turn(s, { text: 'Hello.' })), []);
  is(await revoke(member, policyApprovalId), 403, 'FORBIDDEN');
  assert.equal((await revoke(owner, policyApprovalId)).status, 200);
  const r = await turn(s, { text: 'Hello again.' });
  assert.deepEqual([r.json.text.content, silenced(r)], ['Hello again.', ['cloned_voice_synthesis_blocked_until_approved']]);
  assert.deepEqual(r.json.events.slice(4).map((e) => e.type), ['call.turn.timing', 'safety.blocked']);
  is(await choose(s, { persona: 'mariana', userConsent: true, policyApprovalId }), 403, 'VOICE_POLICY_BLOCKED');
  assert.equal((await choose(s, { persona: 'both' })).json.voiceConfig.synthesisAllowed, true, 'the voice that is nobody\'s is free');
  assert.deepEqual(silenced(await turn(s, fake({ text: 'And on.' }))), []);
  const list = (await call('GET', '/v1/governance/voice-approvals', { token: owner })).json.approvals;
  assert.deepEqual(list.find((a) => a.policyApprovalId === policyApprovalId).inForce, false);
});
