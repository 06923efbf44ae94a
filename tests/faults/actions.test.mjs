// kill -9 between asking, confirming and doing: the side effect happens exactly once or not at all, never a different one.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { newCall, script, scripted, unscript } from '../contract/ai.mjs';
import { call, history, kill, operator, unique, until, userToken } from '../contract/client.mjs';
import { counted } from '../contract/sse.mjs';
import { sql, verified } from './database.mjs';

const account = unique('acct');
const mark = unique('document');
let token;
before(() => {
  operator('account', 'set', account, '--delivery-url', 'https://hooks.example.com/outreach');
  token = userToken(`${account}-owner`, { account, role: 'owner' });
});

const messageOf = (n) => ({ data: { body: `May I call you? ${n}`, recipient: 'hr@example.com' } });

/** The same request with the same key until it is answered. */
const repeated = (path, body) => {
  const headers = { 'idempotency-key': unique('key') };
  return until(`an answer of ${path}`, async () => {
    try {
      const r = await call('POST', path, { token, body, headers });
      return r.status === 503 || r.status === 502 || r.json?.code === 'TURN_BUSY' ? undefined : r;
    } catch { return undefined; }
  }, 60);
};
const execute = (s, more) => repeated('/v1/orchestration/actions/execute', { sessionId: s.id, ...more });

/** From the asking to the sending; what each answer promised is kept. */
async function send(s, n) {
  const payload = messageOf(n);
  const what = { actionId: 'send', actionType: 'outreach.requestSend', payload };
  const asked = await execute(s, what);
  assert.deepEqual([asked.status, asked.json.code], [403, 'SAFETY_BLOCKED'], asked.text);
  const confirmationToken = asked.json.confirmationToken;
  const done = n % 2 ? await execute(s, { ...what, confirmationToken }) : await repeated('/v1/orchestration/actions/confirm', { sessionId: s.id, actionId: 'send', confirmationToken });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual((await execute(s, what)).json, done.json, 'and so for whoever asks later');
  return [asked.json.events.requested, asked.json.events.confirmation, ...Object.values(done.json.events), done.json.result.outboxId];
}

async function generate(s, n) {
  const what = { actionId: 'cv', actionType: 'cv.generate', payload: { instructions: `${mark} ${n}` } };
  const done = await execute(s, what);
  assert.equal(done.status, 200, done.text);
  assert.deepEqual((await execute(s, what)).json, done.json);
  return [...Object.values(done.json.events), done.json.result.deliverableId];
}

/** One outbox row, one version, one execution of each, and every event that was acknowledged. */
async function sound(s, n, events, outbox, deliverable) {
  const stored = await history(token, s.id);
  assert.deepEqual(stored.map((e) => e.sequence), counted(stored.length), 'gapless');
  assert.deepEqual(verified(s.id), [stored.length, null]);
  for (const e of events) assert.deepEqual(stored[e.sequence - 1], e);
  for (const [id, type] of [['send', 'outreach.requestSend'], ['cv', 'cv.generate']]) {
    const of = (t) => stored.filter((e) => e.type === t && e.payload.actionId === id).length;
    assert.deepEqual([of('orchestration.action.requested'), of('safety.approved'), of('action.executed'), of('action.failed')], [1, 1, 1, 0], type);
  }
  const rows = sql(`SELECT outbox_id, payload::json -> 'message' ->> 'body', payload_hash = sha256(convert_to(payload::text, 'UTF8')) FROM lifeos.outbox WHERE session_id = '${s.id}'`);
  assert.deepEqual(rows, [[outbox, messageOf(n).data.body, 't']]);
  assert.deepEqual(sql(`SELECT deliverable_id, version, action_id FROM lifeos.deliverable_version WHERE session_id = '${s.id}'`), [[deliverable, '1', 'cv']]);
  assert.deepEqual(sql(`SELECT state, count(*) FROM lifeos.confirmation WHERE session_id = '${s.id}' GROUP BY 1`), [['used', '1']]);
}

for (const victim of ['openclaw', 'writer', 'frontend@1', 'frontend@2', 'postgres'])
  test(`kill -9 of ${victim} between asking, confirming and doing: each is done once, as it was confirmed`, scripted, async () => {
    await script({ match: mark, repeat: 1000, firstMs: 250, tools: [{ name: 'deliver_cv', args: { title: 'CV', data: { name: 'Ada Example', summary: 'Ten years of C.', experience: ['Meters'] }, markdown: '# Ada' } }] });
    const calls = await Promise.all(counted(12).map(() => newCall(token)));
    let over = false;
    const all = Promise.all(calls.map(async (s, n) => {
      await wait(n * 60);
      return Promise.all([send(s, n), generate(s, n)]);
    })).finally(() => { over = true; });
    await wait(150);
    for (let round = 0; round < 2 && !over; round++) {
      kill(victim);
      // As if the lease of whoever died were over.
      if (victim === 'openclaw') sql(`UPDATE lifeos.action SET lease_until = created_at WHERE lease_until IS NOT NULL AND account_id = '${account}'`);
      await wait(100);
    }
    try {
      for (const [n, [sent, made]] of (await all).entries())
        await sound(calls[n], n, [...sent.slice(0, -1), ...made.slice(0, -1)], sent.at(-1), made.at(-1));
    } finally { await unscript(); }
  });
