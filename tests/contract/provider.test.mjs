// The provider's line breaks: the client is told at once, asked back with longer and longer waits, and the call goes on or
// ends gracefully. Nothing outlives its deadline.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { append, call, history, newSession, partial, replay, unbilled, unique, until } from './client.mjs';
import { event, hook, person } from './livekit.mjs';
import { Listener, counted } from './sse.mjs';

const sweepCommand = (process.env.LIFEOS_SWEEP_CMD ?? new URL('../stack', import.meta.url).pathname + ' sweep').split(' ');
/** What the timer does every ten seconds on an appliance. There it may come between: a sweep too many changes nothing. */
const sweep = () => execFileSync(sweepCommand[0], sweepCommand.slice(1));

/** Makes everything known of a session happen so many seconds earlier. */
function age(s, seconds) {
  const times = ['created_at', 'updated_at', 'started_at', 'seen_at', 'disconnected_at', 'due_at'];
  execFileSync('psql', [process.env.LIFEOS_PG, '-XqAt', '-v', 'ON_ERROR_STOP=1', '-c',
    `UPDATE lifeos.call_session SET ${times.map((t) => `${t} = ${t} - ${seconds * 1e6}`).join(', ')} WHERE session_id = '${s.id}'`]);
}

const status = async (s) => (await call('GET', `/v1/call/sessions/${s.id}`, { token: s.token })).json.session;
/** A webhook of this moment. */
async function now(name, s, sid, more = {}) {
  const at = Date.now();
  const r = await hook(event(name, `lk_room_${s.id}`, { createdAt: String(Math.floor(at / 1000)),
    participant: person(sid, { joinedAt: String(Math.floor(at / 1000)), joinedAtMs: String(at), ...more }) }));
  assert.equal(r.status, 200, r.text);
}
const joined = (s, sid) => now('participant_joined', s, sid);
const lost = (s, sid) => now('participant_left', s, sid, { disconnectReason: 'CONNECTION_TIMEOUT' });

/** A call that is on, and somebody who listens to it. */
async function live(t) {
  const s = await newSession({ sessionId: unique('lost') });
  await joined(s, 'PA_1');
  const listener = new Listener(s.token, s.id, { after: 0 });
  t.after(() => listener.close());
  await listener.ready();
  return { s, listener };
}
const heard = (listener, type) => listener.events.filter((e) => e.type === type);

test('a lost line is told at once, asked for again, and the call goes on when its client is back', async (t) => {
  const { s, listener } = await live(t);
  await lost(s, 'PA_1');
  await until('call.reconnecting', () => heard(listener, 'call.reconnecting').length === 1);
  const [first] = heard(listener, 'call.reconnecting');
  assert.deepEqual([first.payload.callId, first.payload.attempt, first.payload.reason], [s.id, 1, 'CONNECTION_TIMEOUT']);
  assert.equal((await status(s)).transportState, 'degraded');
  sweep();
  age(s, 3);
  sweep();
  await until('the second request', () => heard(listener, 'call.reconnecting').length === 2);
  const [, second] = heard(listener, 'call.reconnecting');
  assert.deepEqual([second.payload.attempt, second.payload.reason, second.origin], [2, 'provider_retry', 'session']);
  await joined(s, 'PA_2');
  await until('call.connected', () => heard(listener, 'call.connected').length === 2);
  const back = heard(listener, 'call.connected')[1].payload;
  assert.deepEqual([back.callId, back.resumed, back.attempts, back.providerSessionId], [s.id, true, 2, 'RM_1']);
  assert.ok(back.gapMs >= 3000 && back.gapMs < 60_000, `gapMs ${back.gapMs}`);
  const session = await status(s);
  assert.deepEqual([session.status, session.transportState, session.endReason], ['active', 'healthy', null]);
  sweep();
  assert.equal((await status(s)).status, 'active');
});

test('a line that stays lost ends the call for its provider\'s sake, once, with every word of its transcript', async (t) => {
  const { s, listener } = await live(t);
  for (let n = 1; n <= 3; n++) await append(partial(s.id, n));
  await append({ sessionId: s.id, type: 'transcript.final', payload: { utteranceId: 'utt-1', speaker: 'user', text: 'word one', startMs: 1, endMs: 2 } });
  const words = async () => JSON.stringify((await replay(s.token, s.id, '?afterSequence=0&limit=500')).json.transcriptState);
  const before = await words();
  assert.match(before, /word one.*word 3/);
  await lost(s, 'PA_1');
  await until('the end', async () => {
    age(s, 31); // as long as the longest wait
    sweep();
    return (await status(s)).status !== 'active';
  });
  const session = await status(s);
  assert.deepEqual([session.status, session.endReason, session.transportState], ['ended', 'ended_with_provider_disconnect', 'terminated']);
  await until('call.ended', () => heard(listener, 'call.ended').length);
  assert.deepEqual(heard(listener, 'call.reconnecting').map((e) => e.payload.attempt), counted(6), 'five retries by default');
  assert.equal(heard(listener, 'call.ended')[0].payload.endReason, 'ended_with_provider_disconnect');
  assert.equal(await words(), before);
  const events = await history(s.token, s.id);
  sweep();
  assert.deepEqual(events.map((e) => e.sequence), counted(events.length));
  assert.equal(events.filter((e) => e.type === 'call.ended').length, 1);
  assert.equal(unbilled(events).at(-1).type, 'call.ended');
  assert.equal((await history(s.token, s.id)).length, events.length, 'nothing after the end');
});

test('a call nobody answers, and a call that goes on for ever, end at their deadlines', async () => {
  const unanswered = await newSession(), endless = await newSession();
  await joined(endless, 'PA_1');
  age(unanswered, 3601);
  age(endless, 14_401);
  await until('the ends', async () => {
    sweep();
    return (await status(unanswered)).status === 'ended' && (await status(endless)).status === 'ended';
  });
  for (const [s, seconds] of [[unanswered, 0], [endless, 14_400]]) {
    const end = unbilled(await history(s.token, s.id)).at(-1);
    assert.deepEqual([end.type, end.payload.endReason, end.payload.durationSeconds], ['call.ended', 'timeout', seconds]);
  }
});
