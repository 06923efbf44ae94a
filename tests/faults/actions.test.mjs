// kill -9 between asking, confirming and doing: the side effect happens exactly once or not at all, never a different one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
  assert.deepEqual(sql(`SELECT 'sent', o.outbox_id, o.payload::json -> 'message' ->> 'body', o.payload_hash = sha256(convert_to(o.payload::text, 'UTF8'))
      FROM lifeos.outbox o WHERE o.session_id = '${s.id}'
    UNION ALL SELECT 'made', v.deliverable_id, v.action_id, v.version = 1 FROM lifeos.deliverable_version v WHERE v.session_id = '${s.id}'
    UNION ALL SELECT 'confirmed', c.state, c.action_id, c.closed_by IS NOT NULL FROM lifeos.confirmation c WHERE c.session_id = '${s.id}'`),
  [['sent', outbox, messageOf(n).data.body, 't'], ['made', deliverable, 'cv', 't'], ['confirmed', 'used', 'send', 't']]);
}

for (const victim of ['openclaw', 'writer', 'frontend@1', 'frontend@2', 'postgres'])
  test(`kill -9 of ${victim} between asking, confirming and doing: each is done once, as it was confirmed`, scripted, async () => {
    await script({ match: mark, repeat: 1000, firstMs: 250, tools: [{ name: 'deliver_cv', args: { title: 'CV', data: { name: 'Ada Example', summary: 'Ten years of C.', experience: ['Meters'] }, markdown: '# Ada' } }] });
    const calls = await Promise.all(counted(12).map(() => newCall(token)));
    let over = false;
    const all = Promise.all(calls.map(async (s, n) => {
      await wait(n * 100);
      return Promise.all([send(s, n), generate(s, n)]);
    })).finally(() => { over = true; });
    await wait(150);
    for (let round = 0; round < 3 && !over; round++) {
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

test('what nobody finished or confirmed in time the sweep ends: it is not done at all, also not later', scripted, async () => {
  await script({ match: mark, repeat: 10, hangAfter: -1 });
  const s = await newCall(token);
  const cv = { sessionId: s.id, actionId: 'cv', actionType: 'cv.generate', payload: { instructions: mark } };
  const gone = call('POST', '/v1/orchestration/actions/execute', { token, body: cv }).catch(() => {});
  const asked = await execute(s, { actionId: 'send', actionType: 'outreach.requestSend', payload: messageOf(1) });
  await until('a runner', () => sql(`SELECT 1 FROM lifeos.action WHERE session_id = '${s.id}' AND runner IS NOT NULL`).length);
  for (const name of ['frontend@1', 'frontend@2', 'openclaw']) // at one moment: a frontend that still waited would ask again
    process.kill(Number(readFileSync(`${process.env.LIFEOS_STACK_DIR}/pids/${name}`, 'utf8').split(' ')[0]), 'SIGKILL');
  await gone;
  await unscript();
  sql(`UPDATE lifeos.action SET lease_until = 1 WHERE session_id = '${s.id}' AND lease_until IS NOT NULL;
    UPDATE lifeos.confirmation SET expires_at = issued_at + 1 WHERE session_id = '${s.id}'`);
  await Promise.all(counted(2).map(() => new Promise((done, fail) => {
    execFile(new URL('../stack', import.meta.url).pathname, ['sweep'], (error) => (error ? fail(error) : done()));
  })));
  const once = async (path, body) => (await until('an answer', () => call('POST', path, { token, body }).catch(() => {}))).json.code;
  await until('a frontend', () => call('GET', '/health/ready').then((r) => r.status === 200, () => false));
  assert.equal(await once('/v1/orchestration/actions/execute', cv), 'ACTION_EXECUTION_FAILED');
  assert.equal(await once('/v1/orchestration/actions/confirm', { sessionId: s.id, actionId: 'send', confirmationToken: asked.json.confirmationToken }), 'CONFIRMATION_EXPIRED');
  const failed = (await history(token, s.id)).filter((e) => e.type === 'action.failed').map((e) => [e.payload.actionId, e.payload.code]);
  assert.deepEqual(failed.sort(), [['cv', 'ACTION_EXECUTION_FAILED'], ['send', 'CONFIRMATION_EXPIRED']]);
  assert.deepEqual(sql(`SELECT 1 FROM lifeos.outbox WHERE session_id = '${s.id}' UNION ALL SELECT 1 FROM lifeos.deliverable_version WHERE session_id = '${s.id}'`), []);
});
