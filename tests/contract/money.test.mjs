// Money: what a call used is measured from what LiveKit said, signed, priced and booked, and every step can be checked by who pays.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { call, history, ingestToken, newSession, operator, unbilled, unique, until, userToken } from './client.mjs';
import { event, hook, person } from './livekit.mjs';

const ctlCommand = (process.env.LIFEOS_CTL_CMD ?? new URL('../stack', import.meta.url).pathname + ' ctl').split(' ');
const BEGAN = 1760000000;
const BOOK = { 'call.duration.seconds': { minor: 2, per: 60 }, 'call.participant.seconds': { minor: 1, per: 3600 } };

/** A price book of this account's own, valid since before anything here happened. */
const price = (account, prices = BOOK, currency = 'EUR') => JSON.parse(execFileSync(ctlCommand[0],
  [...ctlCommand.slice(1), 'prices', 'set', '--account', account, '--currency', currency, '--from', '2020-01-01T00:00:00Z', '-'],
  { input: JSON.stringify(prices), encoding: 'utf8' })).priceBook;
const operatorKey = (...more) => operator('key', 'create', '--scope', 'operator', '--label', 'money', ...more).trim();
const account = (s, path, token = s.token) => call('GET', `/v1/billing/accounts/${s.user}/${path}`, { token });
const records = async (s) => (await call('GET', `/v1/billing/sessions/${s.id}/usage-records`, { token: s.token })).json;
const is = (r, status, code) => assert.deepEqual([r.status, r.json?.code], [status, code], r.text);

/** A call of one person, who came 1.5 s after it began and hung up at `seconds`. */
async function called(seconds, s) {
  s ??= await newSession();
  const room = `lk_room_${s.id}`;
  const said = [
    event('participant_joined', room, { createdAt: String(BEGAN + 2), participant: person('PA_1', { joinedAt: String(BEGAN + 1), joinedAtMs: String(BEGAN * 1000 + 1500) }) }),
    event('participant_left', room, { createdAt: String(BEGAN + seconds),
      participant: person('PA_1', { joinedAt: String(BEGAN + 1), joinedAtMs: String(BEGAN * 1000 + 1500), disconnectReason: 'CLIENT_INITIATED' }) }),
    event('room_finished', room, { createdAt: String(BEGAN + seconds + 20) }),
  ];
  for (const e of [...said, said[1], said[0]]) assert.equal((await hook(e)).status, 200);
  return s;
}

test('a call is measured from what LiveKit said, once, in the transaction that ends it, and each record can be verified with public keys', async () => {
  const s = await called(127);
  const signed = await until('the signatures', async () => {
    const r = await records(s);
    return r.records.every((x) => x.signature) && r;
  });
  assert.deepEqual([signed.count, signed.totalsByMeter], [2, { 'call.duration.seconds': 125, 'call.participant.seconds': 125 }]);
  const events = await history(s.token, s.id);
  const end = unbilled(events).at(-1);
  assert.equal(end.type, 'call.ended');
  const { json: { keys } } = await call('GET', '/v1/billing/keys', { token: s.token });
  for (const r of signed.records) {
    assert.deepEqual([r.sourceEventId, r.sourceSequence, r.sourceTimestamp, r.accountId, r.sessionId, r.outcome, r.signatureVersion],
      [end.eventId, end.sequence, end.ts, s.user, s.id, 'used', 'hs256.v1']);
    assert.match(r.signature, /^[0-9a-f]{64}$/);
    const canonical = [r.accountId, r.sessionId, r.meterId, r.unit, r.quantity, r.sourceEventId, r.sourceSequence, r.sourceTimestamp].join('|');
    const key = createPublicKey({ key: keys.find((k) => k.keyId === r.keyId).jwk, format: 'jwk' });
    const good = (text) => verify(null, Buffer.from(text), key, Buffer.from(r.signatureEd25519, 'base64url'));
    assert.equal(good(canonical), true);
    assert.equal(good(canonical.replace('|125|', '|124|')), false);
    const told = events.find((e) => e.payload.usageRecordId === r.recordId);
    assert.deepEqual([told.type, told.payload.quantity, told.payload.billableSeconds, told.payload.unit], ['billing.usage.recorded', 125, 125, 'seconds']);
    assert.ok(told.sequence > end.sequence);
  }
  const page = await call('GET', `/v1/billing/sessions/${s.id}/usage-records?limit=1&meterId=call.participant.seconds`, { token: s.token });
  assert.deepEqual([page.json.count, page.json.records[0].meterId, page.json.page.hasMore], [1, 'call.participant.seconds', false]);
});

test('calls nobody answered and calls too short are on record as that, and cost nothing', async () => {
  const failed = await newSession(), quiet = await newSession();
  price(failed.user, BOOK);
  for (const [s, status] of [[failed, 'failed'], [quiet, 'active'], [quiet, 'ended']])
    assert.equal((await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status } })).status, 200);
  const outcomes = async (s) => (await records(s)).records.map((r) => [r.quantity, r.outcome]);
  assert.deepEqual(await outcomes(failed), [[0, 'failed'], [0, 'failed']]);
  assert.deepEqual(await outcomes(quiet), [[0, 'zero'], [0, 'zero']]);
  assert.deepEqual((await account(failed, 'ledger')).json.entries.map((e) => e.amountMinor), [0, 0]);
});

test('the ledger has both sides, says what each entry is for, and every link of it is there, page by page', async () => {
  const s = await newSession();
  assert.deepEqual([price(s.user).version, price(s.user).version], [1, 2]);
  await called(127, s);
  const { json: ledger } = await account(s, 'ledger');
  assert.deepEqual(ledger.entries.map((e) => [e.meterId, e.debit, e.credit, e.currency, e.amountMinor, e.priceBook, e.priceVersion, e.detail.quantity]).sort(), [
    ['call.duration.seconds', 'customer', 'revenue:call.duration.seconds', 'EUR', 4, s.user, 2, 125],
    ['call.participant.seconds', 'customer', 'revenue:call.participant.seconds', 'EUR', 0, s.user, 2, 125]]);
  assert.deepEqual(ledger.balances.map((b) => [b.ledgerAccount, b.amountMinor]),
    [['customer', 4], ['revenue:call.duration.seconds', -4], ['revenue:call.participant.seconds', 0]]);
  const { json: told } = await call('GET', `/v1/billing/sessions/${s.id}/events?eventType=billing.usage.recorded`, { token: s.token });
  assert.deepEqual(told.events.map((e) => e.billingEventId), ledger.entries.map((e) => e.entryId));
  const links = [];
  for (let cursor = ''; ;) {
    const { json } = await account(s, `traceability?limit=1${cursor}`);
    links.push(...json.traceLinks);
    assert.equal(json.usageRecords[0].recordId, json.billingEvents[0].usageRecordId);
    if (!json.page.hasMore) break;
    cursor = `&cursor=${encodeURIComponent(json.page.nextCursor)}`;
  }
  assert.equal(links.length, 2);
  assert.ok(links.every((l) => l.usageRecordFound && l.sourceEventFound), JSON.stringify(links));
  const { json: summary } = await account(s, 'usage-summary');
  assert.deepEqual(summary.summary.map((m) => [m.meterId, m.unit, m.totalQuantity, m.recordsCount]),
    [['call.duration.seconds', 'seconds', 125, 1], ['call.participant.seconds', 'seconds', 125, 1]]);
});

test('what has no price is not free: it is parked, priced, and sent on its way again, by an operator', async () => {
  const s = await called(127), key = operatorKey();
  const { json: parked } = await account(s, 'dead-letters?status=open');
  assert.deepEqual(parked.deadLetters.map((d) => [d.code, d.eventType, d.status, d.sessionId]),
    [['NO_PRICE', 'billing.usage.recorded', 'open', s.id], ['NO_PRICE', 'billing.usage.recorded', 'open', s.id]]);
  assert.equal((await call('GET', `/v1/billing/sessions/${s.id}/dead-letters`, { token: s.token })).json.count, 2);
  const decide = (d, body, token = key) => call('POST', `/v1/billing/accounts/${s.user}/dead-letters/${d.deadLetterId}`, { token, body });
  const [first, second] = parked.deadLetters;
  is(await decide(first, { decision: 'redrive' }), 409, 'DEAD_LETTER_STUCK');
  is(await decide(first, { decision: 'redrive' }, s.token), 403, 'FORBIDDEN');
  assert.equal((await account(s, 'ledger')).json.count, 0);
  price(s.user, { 'call.duration.seconds': { minor: 100, per: 1 }, 'call.participant.seconds': { minor: 100, per: 1 } }, 'JPY');
  for (let i = 0; i < 2; i++) assert.equal((await decide(first, { decision: 'redrive' })).json.deadLetter.status, 'redriven');
  is(await decide(second, { decision: 'resolve' }), 400, 'INVALID_REQUEST');
  assert.equal((await decide(second, { decision: 'resolve', reason: 'a gift' })).json.deadLetter.reason, 'a gift');
  is(await decide(second, { decision: 'redrive' }), 409, 'BILLING_CONFLICT');
  const { json: ledger } = await account(s, 'ledger');
  assert.deepEqual(ledger.entries.map((e) => [e.usageRecordId, e.currency, e.amountMinor]), [[first.eventId, 'JPY', 12500]]);
  assert.equal((await account(s, 'dead-letters?status=open')).json.count, 0);
});

test('an adjustment is exact, linked and booked once; where the tenant wants two operators, it waits for the second', async () => {
  const s = await newSession(), one = operatorKey(), two = operatorKey();
  price(s.user);
  await called(127, s);
  const { json: { entries: [entry] } } = await account(s, 'ledger');
  const adjust = (body, token = one) => call('POST', '/v1/billing/adjustments', { token, body: {
    accountId: s.user, sessionId: s.id, meterId: 'call.duration.seconds', amount: -1.05, currency: 'EUR', reason: 'a bad line', ...body } });
  const first = await adjust({ adjustmentId: 'adj-1', corrects: entry.entryId });
  assert.deepEqual([first.status, first.json.published, first.json.deduped, first.json.adjustment.amountMinor], [200, true, false, -105], first.text);
  assert.equal((await adjust({ adjustmentId: 'adj-1', corrects: entry.entryId })).json.deduped, true);
  is(await adjust({ adjustmentId: 'adj-1', corrects: entry.entryId, amount: -1.06 }), 409, 'BILLING_CONFLICT');
  for (const body of [{ amount: 1.005 }, { amount: '1' }, { amount: null }, { currency: 'ABC' }, { reason: '' }, { corrects: 'led_none' }, { meterId: 'air' }])
    is(await adjust({ adjustmentId: 'adj-2', ...body }), 400, 'INVALID_REQUEST');
  is(await adjust({}, s.token), 403, 'FORBIDDEN');
  is(await adjust({}, operatorKey('--account', unique('other'))), 404, 'SESSION_NOT_FOUND');
  const booked = (await account(s, 'ledger')).json.entries.find((e) => e.kind === 'adjustment');
  assert.deepEqual([booked.debit, booked.credit, booked.amountMinor, booked.corrects], ['revenue:call.duration.seconds', 'customer', 105, entry.entryId]);
  assert.deepEqual((await history(s.token, s.id)).at(-1).payload.amountMinor, -105);

  operator('account', 'set', s.user, '--adjustments', 'two-person');
  const waits = await adjust({ adjustmentId: 'adj-3', amount: 2 });
  assert.deepEqual([waits.json.published, waits.json.adjustment.status], [false, 'waiting']);
  const decide = (token, decision = 'approve') => call('POST', `/v1/billing/accounts/${s.user}/adjustments/adj-3`, { token, body: { decision } });
  is(await decide(one), 403, 'SECOND_PERSON_REQUIRED');
  is(await decide(s.token), 403, 'FORBIDDEN');
  assert.equal((await decide(two)).json.adjustment.status, 'booked');
  is(await decide(two, 'refuse'), 409, 'BILLING_CONFLICT');
  assert.deepEqual((await account(s, 'ledger')).json.balances.find((b) => b.ledgerAccount === 'customer').amountMinor, 4 - 105 + 200);
});

test('the ledger goes into a spreadsheet, whole, and nothing in it is a formula', async () => {
  const s = await newSession(), key = operatorKey();
  price(s.user);
  await called(127, s);
  for (const [i, reason] of ['=HYPERLINK("http://evil")', '+1', '-1', '@x', ' =1', 'plain, "quoted"\nand long'].entries())
    assert.equal((await call('POST', '/v1/billing/adjustments', { token: key, body: {
      accountId: s.user, sessionId: s.id, adjustmentId: `adj-${i}`, meterId: 'ai.turn.count', amount: 1.5, currency: 'EUR', reason } })).status, 200);
  const r = await account(s, 'ledger.csv');
  assert.deepEqual([r.status, r.headers.get('content-type')], [200, 'text/csv; charset=utf-8; header=present']);
  assert.match(r.headers.get('content-disposition'), /^attachment; filename="ledger\.csv"$/);
  const rows = parseCsv(r.text);
  assert.deepEqual(new Set(rows.map((x) => x.length)), new Set([16]));
  assert.deepEqual(rows[0].slice(0, 8), ['createdAt', 'entryId', 'kind', 'debit', 'credit', 'currency', 'amountMinor', 'amount']);
  const { json: { entries } } = await account(s, 'ledger');
  assert.deepEqual(rows.slice(1).map((x) => [x[1], Number(x[6])]), entries.map((e) => [e.entryId, e.amountMinor]));
  assert.deepEqual(rows.slice(3).map((x) => x[15]),
    ['\'=HYPERLINK("http://evil")', '\'+1', '\'-1', '\'@x', '\' =1', 'plain, "quoted"\nand long']);
  assert.deepEqual(new Set(rows.slice(3).map((x) => x[7])), new Set(['1.50']));
  assert.equal(parseCsv((await account(s, `ledger.csv?fromMs=${Date.now() + 3_600_000}`)).text).length, 1);
});

/** RFC 4180, read by the letter. */
function parseCsv(text) {
  const rows = [];
  let row = [], field = '', quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (quoted) {
      if (text[i] !== '"') field += text[i];
      else if (text[i + 1] === '"') field += text[i++];
      else quoted = false;
    } else if (text[i] === '"') { assert.equal(field, ''); quoted = true; }
    else if (text[i] === ',') { row.push(field); field = ''; }
    else if (text[i] === '\r') { assert.equal(text[++i], '\n'); rows.push([...row, field]); row = []; field = ''; }
    else field += text[i];
  }
  assert.deepEqual([row, field, quoted], [[], '', false], 'the last line has its end');
  return rows;
}

test('money is for whom it is: strangers find nothing, members their own calls, viewers read, services stay out', async () => {
  const s = await called(127);
  const of = (role) => userToken(unique(role), { account: s.user, role });
  const paths = ['usage-summary', 'ledger', 'ledger.csv', 'traceability', 'dead-letters'];
  for (const path of paths) {
    for (const role of ['admin', 'viewer']) assert.equal((await account(s, path, of(role))).status, 200, `${role} ${path}`);
    assert.equal((await account(s, path, operatorKey())).status, 200, `operator ${path}`);
    is(await account(s, path, of('member')), 403, 'FORBIDDEN');
    is(await account(s, path, ingestToken), 403, 'FORBIDDEN');
    is(await account(s, path, userToken(unique('stranger'))), 404, 'ACCOUNT_NOT_FOUND');
    is(await account(s, path, operatorKey('--account', unique('other'))), 404, 'ACCOUNT_NOT_FOUND');
    assert.equal((await account(s, path, '')).status, 401);
  }
  for (const path of ['usage-records', 'events', 'dead-letters']) {
    const read = (token) => call('GET', `/v1/billing/sessions/${s.id}/${path}`, { token });
    assert.equal((await read(s.token)).status, 200);
    is(await read(of('member')), 403, 'FORBIDDEN');
    is(await read(userToken(unique('stranger'))), 404, 'SESSION_NOT_FOUND');
    is(await read(ingestToken), 403, 'FORBIDDEN');
  }
});
