// The console in a real browser: through cuts, kills and sleep the page shows what the database holds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, missing } from './chromium.mjs';
import { append, call, kill, newSession, persistent, replay, unique, until, url, userToken } from './client.mjs';
import { Proxy } from './proxy.mjs';

const skip = missing();
let browser;
before(async () => { if (!skip) browser = await Browser.start(); });
after(() => browser?.close());

const READ = `[...document.querySelectorAll('#transcript li')].map((li) => [
  li.dataset.utterance, li.querySelector('.who').textContent, li.querySelector('.text').textContent, li.dataset.final === 'true'])`;
const text = (id) => `document.getElementById('${id}').textContent`;

/** Speech as it comes: partials that grow, then the final; some utterances overlap. */
function speech(sessionId, from, to) {
  const events = [];
  for (let u = from; u <= to; u++) {
    const words = `utterance ${u} has é, 🎧 and <b>no markup</b>`.split(' ');
    const say = (type, n) => ({
      sessionId, eventId: unique('evt'), type: `transcript.${type}`,
      payload: { utteranceId: `utt-${u}`, speaker: u % 2 ? 'user' : 'agent', text: words.slice(0, n).join(' '), startMs: u * 1000, endMs: u * 1000 + n },
    });
    events.push(say('partial', 2), say('partial', 4), ...(u % 5 === 0 ? [] : [say('final', words.length)]));
  }
  return events;
}

const store = async (events) => {
  for (let i = 0; i < events.length; i += 7) {
    const r = await persistent('POST', '/v1/realtime/events', { token: process.env.LIFEOS_INGEST_TOKEN, body: events.slice(i, i + 7) });
    assert.equal(r.status, 200);
  }
};

/** The page shows everything that is stored, and it is the same. */
async function same(page, s) {
  const { json } = await replay(s.token, s.id, '?limit=1');
  const head = json.resume.latestSequence;
  await page.until(`sequence ${head} in the page`, `${text('sequence')} === '${head} / ${head}'`, 60);
  const want = json.transcriptState.map((u) => [u.utteranceId, u.speaker, u.text, u.type === 'transcript.final']);
  const show = (list) => list.map((u) => JSON.stringify(u)).join('\n');
  await until('the page to be drawn', async () => show(await page.get(READ)) === show(want), 30).catch(() => {});
  assert.deepEqual(await page.get(READ), want);
  assert.ok(want.length > 3);
}

async function enter(page, token, transport = 'auto') {
  await page.until('the door', `!document.getElementById('enter').disabled`);
  await page.type('#token', token);
  await page.get(`document.querySelector('[name=transport][value=${transport}]').checked = true`);
  await page.press('Enter', 13);
}

for (const [transport, shown] of [['sse', 'SSE'], ['websocket', 'WebSocket'], ['auto', 'WebSocket']]) {
  test(`${transport}: cut, offline, killed and asleep: in the end the page shows what the database holds`, { skip }, async (t) => {
    const s = await newSession();
    const proxy = await Proxy.to(url);
    t.after(() => proxy.close());
    await store(speech(s.id, 1, 4));
    const page = await browser.open(`${proxy.url}/console#session=${s.id}`);
    await enter(page, s.token, transport);
    await page.until('the line', `document.getElementById('state').dataset.state === 'live'`);
    await same(page, s);

    proxy.cut();
    await store(speech(s.id, 5, 8));
    await same(page, s);

    const offline = (yes) => page.send('Network.emulateNetworkConditions', { offline: yes, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await offline(true);
    proxy.cut();
    await page.until('the page to notice', `document.getElementById('state').dataset.state !== 'live'`);
    await store(speech(s.id, 9, 12));
    await offline(false);
    await same(page, s);

    for (const victim of ['frontend@1', 'frontend@2', 'writer']) {
      kill(victim);
      await store(speech(s.id, 13, 16));
    }
    await same(page, s);

    // Asleep: the page does not run, its connections are forgotten by the network without a word.
    await page.send('Page.setWebLifecycleState', { state: 'frozen' });
    proxy.silence();
    await store(speech(s.id, 17, 25));
    await page.send('Page.setWebLifecycleState', { state: 'active' });
    await same(page, s);

    for (const status of ['active', 'ended'])
      assert.equal((await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status } })).status, 200);
    await page.until('the end of the call', `[...document.querySelectorAll('#life [data-done=true]')].map((b) => b.textContent).join() === 'created,connected,ended'`);
    await same(page, s);

    assert.equal(await page.get(text('transport')), shown);
    for (const counter of ['gaps', 'duplicates', 'resets']) assert.equal(await page.get(text(counter)), '0', counter);
    assert.ok(Number(await page.get(text('reconnects'))) >= 3);
    assert.deepEqual(page.faults, []);
    assert.ok(page.requests.every((r) => !r.includes(s.token)), 'no address carries the token');
    assert.ok(page.requests.every((r) => r.replace(/^ws/, 'http').startsWith(proxy.url)), 'nothing comes from elsewhere');
    assert.deepEqual(await page.get('[location.href.includes("ey"), localStorage.length, Object.values(sessionStorage).join().includes("ey"), document.cookie]'), [false, 0, false, '']);
  });
}

test('a refused token is said at the door, and nothing is opened', { skip }, async () => {
  const page = await browser.open(`${url}/console`);
  await enter(page, 'eyJhbGciOiJFZERTQSJ9.e30.AAAA');
  await page.until('the refusal', `!document.getElementById('refused').hidden && ${text('refused')}.includes('token')`);
  assert.equal(await page.get(`document.getElementById('room').hidden`), true);
});

test('sessions are listed, chosen with the keyboard, and signing out forgets everything', { skip }, async () => {
  const user = unique('user'), token = userToken(user);
  const ids = [];
  for (let i = 0; i < 2; i++) ids.push((await call('POST', '/v1/call/sessions', { token, body: {} })).json.session.sessionId);
  for (const id of ids) await append(speech(id, 1, 6));
  const page = await browser.open(`${url}/console`);
  await enter(page, token);
  await page.until('both sessions', `document.querySelectorAll('#sessions button').length === 2`);
  for (const id of ids) {
    await page.get(`document.querySelector('[data-session="${id}"]').focus()`);
    await page.press('Enter', 13);
    await page.until('this session', `${text('title')} === '${id}'`);
    await same(page, { id, token });
    assert.equal(await page.get(`document.querySelector('[aria-current=true]').dataset.session`), id);
  }
  await page.get(`document.getElementById('leave').click()`);
  assert.deepEqual(await page.get(`[document.querySelectorAll('#transcript li').length, document.querySelectorAll('#sessions li').length, document.getElementById('token').value]`), [0, 0, '']);
  assert.deepEqual(page.faults, []);
});
