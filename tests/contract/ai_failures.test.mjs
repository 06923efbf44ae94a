// Whatever the gateway does wrong ends in a status and an event of its own; nothing half-done stays, and the call goes on.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { asked, chat, fake, messages, newCall, script, scripted, turn, unscript } from './ai.mjs';
import { call, history, unbilled, unique, until, userToken } from './client.mjs';

const HTTP = { AI_REFUSED: 502, AI_RATE_LIMITED: 503, AI_FAILED: 502, AI_UNREACHABLE: 503, AI_GARBLED: 502, AI_TIMEOUT: 504, AI_CUT_OFF: 502, AI_EMPTY: 502,
  AI_TOO_MUCH: 502, AI_RESTING: 503 };
const text = 'one two three four';
const propose = { name: 'propose_cv', args: { instructions: 'anything' } };
const confirm = '[UI:CONFIRM_REQUIRED actionId="a1" message="Send it?"]';

let token; // whose calls these are
let elsewhere; // where a redirect points to
let visits = 0;
before(async () => {
  token = userToken(unique('user'));
  elsewhere = http.createServer((req, res) => { visits += 1; res.end(); }).listen(0, '127.0.0.1');
  await new Promise((resolve) => { elsewhere.once('listening', resolve); });
});
after(() => elsewhere.close());

/* What it does | how | the status | what was said before, none if nothing may have been. */
const failures = [
  ['does not know our token', { status: 401 }, 'AI_REFUSED'],
  ['forbids the request', { status: 403 }, 'AI_REFUSED'],
  ['has no such path', { status: 404, contentType: 'text/plain', body: 'Not Found' }, 'AI_REFUSED'],
  ['takes the request for a bad one', { status: 400 }, 'AI_REFUSED'],
  ['takes it for too large', { status: 413 }, 'AI_REFUSED'],
  ['has had too many requests', { status: 429, retryAfter: 60 }, 'AI_RATE_LIMITED'],
  ['fails', { status: 500 }, 'AI_FAILED'],
  ['stands behind a proxy that fails', { status: 502, contentType: 'text/html', body: '<html>Bad Gateway</html>' }, 'AI_FAILED'],
  ['is stopping', { status: 503, retryAfter: 60 }, 'AI_UNREACHABLE'],
  ['points elsewhere', () => ({ redirect: `http://127.0.0.1:${elsewhere.address().port}/` }), 'AI_REFUSED'],
  ['answers with a page', { contentType: 'text/html', body: '<html>Welcome</html>' }, 'AI_GARBLED'],
  ['says that the run failed', { error: true }, 'AI_FAILED'],
  ['says so after some words', { text, error: true, failAfter: 2 }, 'AI_FAILED', 'one two'],
  ['says that the provider wants less', { error: { code: 'rate_limit_error', message: '429 of the provider' } }, 'AI_RATE_LIMITED'],
  ['says that the provider broke off', { text, error: 'upstream provider timeout', failAfter: 1 }, 'AI_TIMEOUT', 'one'],
  ['hangs up before it answers', { dropAfter: -1 }, 'AI_UNREACHABLE'],
  ['hangs up before the first word', { dropAfter: 0 }, 'AI_CUT_OFF'],
  ['hangs up in the middle', { text, dropAfter: 2 }, 'AI_CUT_OFF', 'one two'],
  ['hangs up in the middle of a tag', { deltas: ['one ', 'two ', confirm.slice(0, 30)], dropAfter: 3 }, 'AI_CUT_OFF', 'one two'],
  ['hangs up behind a tag', { deltas: ['one ', `${confirm} `, 'two'], dropAfter: 3 }, 'AI_CUT_OFF', /^one\s+two$/],
  ['ends without saying how', { text, noTerminal: true }, 'AI_CUT_OFF', text],
  ['ends without saying how, behind a call', { text, tools: [propose], noTerminal: true }, 'AI_CUT_OFF', text],
  ['says what is no event', { text, garbageAfter: 2 }, 'AI_GARBLED', 'one two'],
  ['says what is no UTF-8', { text, badUtf8: true }, 'AI_GARBLED'],
  ['takes back what it said', { text, contradict: true }, 'AI_GARBLED', text],
  ['calls a function with half an object', { text, tools: [{ name: 'propose_cv', rawArgs: '{"instructions":' }] }, 'AI_GARBLED', text],
  ['calls a function with a list', { text, tools: [propose, { name: 'propose_cv', rawArgs: '[1]' }] }, 'AI_GARBLED', text],
  ['has nothing to say, and says that', { text: 'No response from OpenClaw.' }, 'AI_EMPTY'],
  ['does not end', { endless: true }, 'AI_TOO_MUCH', /^on and on 0 on and on 1 /],
  ['floods', { flood: 30000 }, 'AI_TOO_MUCH', /^0 1 2 3 /],
  ['says too much at once', { big: 70000 }, 'AI_TOO_MUCH', /^x*$/],
  ['calls too many functions', { text, tools: Array(17).fill(propose) }, 'AI_TOO_MUCH', text],
  ['does not answer', { hangAfter: -1 }, 'AI_TIMEOUT'],
  ['finds no first word', { text, hangAfter: 0 }, 'AI_TIMEOUT'],
  ['finds no next word', { text, hangAfter: 2 }, 'AI_TIMEOUT', 'one two'],
  ['never comes to the point', { endless: true, delayMs: 250 }, 'AI_TIMEOUT', /^on and on 0/],
];

const matches = (value, wanted, what) => (wanted instanceof RegExp ? assert.match(value, wanted, what) : assert.equal(value, wanted, what));

/** What a failed turn leaves behind: its events, its messages, and nothing else. */
async function check(s, before, code, retryable, said) {
  const all = (await history(s.token, s.id)).slice(before), events = unbilled(all);
  assert.deepEqual(all.slice(events.length).map((e) => [e.payload.meterId, e.payload.quantity > 0]).filter(([meter]) => meter === 'ai.turn.count'),
    [['ai.turn.count', false]], 'metered last, as failed');
  const deltas = events.filter((e) => e.type === 'transcript.delta');
  const words = said !== undefined && (deltas.length > 0 || !(said instanceof RegExp));
  assert.deepEqual(events.filter((e) => e.type !== 'transcript.delta').map((e) => e.type), ['call.turn.owner_changed', 'transcript.final', 'call.turn.owner_changed',
    ...(words ? ['transcript.final'] : []), 'call.error']);
  const { payload } = events.at(-1);
  assert.deepEqual([payload.code, payload.callId, payload.retryable], [code, s.id, retryable]);
  const stored = (await messages(s)).slice(-(words ? 2 : 1));
  assert.deepEqual(stored.map((m) => [m.role, m.state]), [['user', 'complete'], ...(words ? [['assistant', 'cut']] : [])]);
  if (words) {
    const { cut, speaker, text: final } = events.at(-2).payload;
    assert.deepEqual([cut, speaker], [true, 'agent']);
    matches(final, said, 'what was said is kept');
    assert.equal(deltas.map((e) => e.payload.text).join(''), final, 'listeners heard the same');
    assert.equal(stored[1].content, final);
  } else assert.equal(deltas.length, 0);
  const list = async (path, name) => (await call('GET', path, { token: s.token })).json[name];
  assert.deepEqual(await list(`/v1/orchestration/sessions/${s.id}/actions`, 'actions'), []);
  assert.deepEqual(await list('/v1/deliverables', 'deliverables'), []);
}

for (const [what, how, code, said] of failures)
  test(`a gateway that ${what}: ${code}`, scripted, async () => {
    const s = await newCall(token);
    const before = (await history(s.token, s.id)).length;
    const r = await turn(s, typeof how === 'function' ? how() : how);
    assert.deepEqual([r.status, r.json.ok, r.json.code], [HTTP[code], false, code]);
    assert.equal(typeof r.json.message, 'string');
    assert.doesNotMatch(r.json.message, /scripted|provider wants|429 of|127\.0\.0\.1/, 'what others said stays in the journal');
    await check(s, before, code, r.json.retryable, said);
    const next = await turn(s, { text: 'All is well again.' });
    assert.equal(next.status, 200, next.text.slice(0, 300));
    assert.equal(next.json.text.content, 'All is well again.');
  });

test('a redirect is not followed', scripted, () => assert.equal(visits, 0));

test('arguments over the limit: AI_TOO_MUCH', scripted, async () => {
  const s = await newCall(token);
  const mark = unique('big');
  await script({ match: mark, text, tools: [{ name: 'propose_cv', args: { instructions: 'x'.repeat(600000) } }] });
  const before = (await history(s.token, s.id)).length;
  const r = await turn(s, mark);
  assert.equal(r.json.code, 'AI_TOO_MUCH');
  await check(s, before, 'AI_TOO_MUCH', r.json.retryable, text);
});

test('a stream in strange pieces is the same stream', scripted, async () => {
  const s = await newCall(token);
  const words = 'Grüße aus München: 你好, 🙂 and [brackets].';
  for (const how of [{ pieces: 1 }, { pieces: 7, crlf: true }, { noise: true }, { noise: true, crlf: true, pieces: 3 }, { noDone: true }, { lateUsage: true }]) {
    const r = await turn(s, { text: words, ...how });
    assert.deepEqual([r.status, r.json.text?.content], [200, words], JSON.stringify(how));
  }
});

test('two thousand words arrive, in their order', scripted, async () => {
  const s = await newCall(token);
  const r = await turn(s, { flood: 2000 });
  const words = Array.from({ length: 2000 }, (_, i) => i).join(' ');
  assert.equal(r.json.text.content, words);
  assert.equal((await messages(s)).at(-1).content, words);
});

test('an answer cut at its token limit is an answer', scripted, async () => {
  const s = await newCall(token);
  const r = await turn(s, { text, incomplete: true });
  assert.deepEqual([r.status, r.json.incomplete, r.json.text.content], [200, true, text]);
  assert.equal((await history(s.token, s.id)).findLast((e) => e.type === 'transcript.final').payload.cut, true);
});

test('before the first word a failure is tried once more, after it never', scripted, async () => {
  const s = await newCall(token);
  for (const [how, status, times] of [[{ status: 500, then: { text } }, 200, 2], [{ dropAfter: -1, then: { text } }, 200, 2], [{ status: 500, then: { status: 500, then: { text } } }, 502, 2],
    [{ text, dropAfter: 1, then: { text } }, 502, 1], [{ status: 401, then: { text } }, 502, 1]]) {
    const mark = unique('try');
    const r = await turn(s, `${mark} ${fake(how)}`);
    assert.equal(r.status, status, JSON.stringify(how));
    assert.equal((await asked(mark)).filter((e) => e.said.includes(mark)).length, times, JSON.stringify(how));
  }
});

test('a failure in a chat ends its stream with error and done', scripted, async () => {
  for (const [how, code, said] of [[{ status: 401 }, 'AI_REFUSED', ''], [{ text, dropAfter: 2 }, 'AI_CUT_OFF', 'one two'], [{ text, garbageAfter: 1 }, 'AI_GARBLED', 'one'], [{ flood: 30000 }, 'AI_TOO_MUCH', /^0 1 2 /]]) {
    const r = await chat(token, { messages: [{ role: 'user', content: fake(how) }] });
    assert.equal(r.status, 200);
    matches(r.of('text.delta').map((p) => p.delta).join(''), said);
    assert.deepEqual(r.frames.slice(-2).map((f) => [f.type, f.payload.ok]), [['error', false], ['done', false]]);
    assert.equal(r.of('error')[0].code, code);
    assert.equal(r.of('text.done').length, 0);
  }
});

test('a turn that failed is not tried again for the same Idempotency-Key, and says the same', scripted, async () => {
  const s = await newCall(token);
  const mark = unique('once');
  const headers = { 'idempotency-key': unique('key') };
  const text2 = `${mark} ${fake({ text, dropAfter: 2 })}`;
  const [a, b] = [await turn(s, text2, {}, { headers }), await turn(s, text2, {}, { headers })];
  assert.deepEqual([a.json.code, b.json.code, a.json.turnId], ['AI_CUT_OFF', 'AI_CUT_OFF', b.json.turnId]);
  assert.equal((await asked(mark)).length, 1);
});

test('a gateway that keeps failing is left alone until a test turn succeeds', scripted, async () => {
  const s = await newCall(token);
  await script({ match: 'the one word', repeat: 100000, status: 500 });
  try {
    const resting = await until('AI_RESTING', async () => {
      const r = await turn(s, { status: 500 });
      return r.json.code === 'AI_RESTING' && r;
    }, 60);
    assert.equal(resting.status, 503);
    assert.ok(Number(resting.headers.get('retry-after')) >= 1, 'it says how long to wait');
  } finally { await unscript(); }
  const mark = unique('rested');
  await until('an answer', async () => (await turn(s, `${mark} ${fake({ text })}`)).status === 200, 60);
});
