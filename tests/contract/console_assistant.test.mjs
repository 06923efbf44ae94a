// The console's assistant in a real browser: asked, heard, its proposal looked at, confirmed or declined, its work read.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, missing } from './chromium.mjs';
import { call, newSession, operator, unique, url } from './client.mjs';

const skip = missing() || (!process.env.LIFEOS_OPENCLAW_CONTROL && 'there is no scripted gateway here');
let browser;
before(async () => { if (!skip) browser = await Browser.start(); });
after(() => browser?.close());

const text = (id) => `document.getElementById('${id}').textContent`;
const shown = (s) => `[...document.querySelectorAll('#transcript li')].some((li) => li.dataset.final === 'true' && li.textContent.includes(${JSON.stringify(s)}))`;
const states = `[...document.querySelectorAll('#actions li')].map((li) => li.dataset.state)`;

async function enter(s) {
  const page = await browser.open(`${url}/console#session=${s.id}`);
  await page.until('the door', `!document.getElementById('enter').disabled`);
  await page.type('#token', s.token);
  await page.press('Enter', 13);
  await page.until('the line', `document.getElementById('state').dataset.state === 'live'`);
  return page;
}

async function say(page, words) {
  await page.type('#words', words);
  await page.press('Enter', 13);
}

/** A draft of the session's user, whose account may send; and the page that shows the session. */
async function drafted() {
  const s = await newSession();
  const made = await call('POST', '/v1/deliverables', { token: s.token, body: { kind: 'outreach', sessionId: s.id, title: 'To the manager', markdown: 'Dear manager,\nhello\n' } });
  assert.equal(made.status, 200, made.text);
  const { deliverableId, userId } = made.json.deliverable;
  operator('account', 'set', userId, '--delivery-url', 'https://customer.example/in');
  return { ...s, deliverableId, page: await enter(s) };
}

/** Asks for the sending as the page's user, from elsewhere: the page hears of it in the session. */
async function asked(s) {
  const actionId = unique('send');
  const r = await call('POST', '/v1/orchestration/actions/execute', {
    token: s.token, body: { sessionId: s.id, actionId, actionType: 'outreach.requestSend', payload: { deliverableId: s.deliverableId } },
  });
  assert.equal(r.status, 403, r.text);
  await s.page.until('the request', `${states}.includes('requires_confirmation')`);
  await s.page.get(`document.querySelector('#actions [data-state=requires_confirmation] button').click()`);
  await s.page.until('the arguments', `${text('confirm-arguments')}.includes(${JSON.stringify(s.deliverableId)})`);
  return actionId;
}

const action = async (s, id) => (await call('GET', `/v1/orchestration/sessions/${s.id}/actions/${id}`, { token: s.token })).json.action;

test('what is typed is answered, and the answer appears while it is spoken', { skip }, async () => {
  const page = await enter(await newSession());
  const script = { deltas: ['The answer ', 'comes slowly ', 'and is whole.'], delayMs: 250 };
  await say(page, `Tell me. @@fake${JSON.stringify(script)}@@`);
  await page.until('the answer arriving', `[...document.querySelectorAll('#transcript li')].some((li) => li.dataset.final === 'false' && li.textContent.includes('The answer'))`);
  await page.until('the whole answer', shown('The answer comes slowly and is whole.'));
  await page.until('the next to be asked', `!document.getElementById('send').disabled && document.getElementById('stop').hidden`);
  assert.deepEqual(page.faults, []);
});

test('stop stops it, and what was said stays', { skip }, async () => {
  const page = await enter(await newSession());
  await say(page, 'Tell me all. @@fake{"endless":true,"delayMs":50}@@');
  await page.until('the answer arriving', `[...document.querySelectorAll('#transcript li')].some((li) => li.textContent.includes('on and on'))`);
  await page.get(`document.getElementById('stop').click()`);
  await page.until('it to be stopped', `${text('answering')} === 'Stopped.'`);
  await page.until('its words to stay', `[...document.querySelectorAll('#transcript li[data-cut=true]')].some((li) => li.textContent.includes('on and on'))`);
});

test('a failure is said in words, and the question is kept to ask again', { skip }, async () => {
  const page = await enter(await newSession());
  await say(page, 'Fail. @@fake{"garbageAfter":0}@@');
  await page.until('the failure', `${text('answering')}.includes('made no sense')`);
  assert.match(await page.get(`document.getElementById('words').value`), /^Fail/);
});

test('what waits for a human is shown exactly, confirmed once, and then done', { skip }, async () => {
  const s = await drafted(), id = await asked(s);
  assert.match(await s.page.get(text('confirm-left')), /^[0-5]:\d\d left to decide$/);
  assert.deepEqual(JSON.parse(await s.page.get(text('confirm-arguments'))), (await action(s, id)).arguments);
  await s.page.get(`document.getElementById('confirm-yes').click()`);
  await s.page.until('the dialog to close', `!document.getElementById('confirm').open`);
  await s.page.until('it to be done', `${states}.includes('executed')`);
  assert.equal((await action(s, id)).status, 'executed');
  assert.deepEqual(s.page.faults, []);
});

test('what is declined is never done', { skip }, async () => {
  const s = await drafted(), id = await asked(s);
  await s.page.get(`document.getElementById('confirm-no').click()`);
  await s.page.until('it to be declined', `${states}.includes('declined')`);
  assert.equal((await action(s, id)).status, 'declined');
});

test('deliverables are listed, read in their versions, and compared', { skip }, async () => {
  const s = await drafted();
  const put = await call('POST', `/v1/deliverables/${s.deliverableId}/versions`, { token: s.token, body: { baseVersion: 1, title: 'To the manager', markdown: 'Dear manager,\ngood day\n' } });
  assert.equal(put.status, 200, put.text);
  await s.page.get(`document.querySelector('#papers summary').click()`);
  await s.page.until('the list', `document.querySelector('[data-deliverable="${s.deliverableId}"]') !== null`);
  await s.page.get(`document.querySelector('[data-deliverable="${s.deliverableId}"]').click()`);
  await s.page.until('the newest version', `${text('paper-text')}.includes('good day')`);
  await s.page.get(`(() => { const w = document.getElementById('paper-with'); w.value = '1'; w.dispatchEvent(new Event('change')); })()`);
  await s.page.until('the difference', `document.querySelector('#paper-text [data-sign="-"]')?.textContent === '- hello\\n'`);
  assert.equal(await s.page.get(`document.querySelector('#paper-text [data-sign="+"]').textContent`), '+ good day\n');
  assert.deepEqual(s.page.faults, []);
});
