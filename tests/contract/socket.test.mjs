// The WebSocket: many sessions on one connection, everything once and in order, acknowledged, resumed, ended with a code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, call, history, ingestToken, kill, newSession, partial, unique, url, userToken } from './client.mjs';
import { counted } from './sse.mjs';
import { Socket, frame } from './ws.mjs';

const known = async (s, more = {}) => { const ws = await Socket.open({ token: s.token, ...more }); await ws.next('ready'); return ws; };

test('identity comes as a header, as a subprotocol or as the first message', async () => {
  const s = await newSession();
  const a = await Socket.open({ token: s.token });
  assert.equal(a.status, 101);
  assert.equal(a.headers['sec-websocket-accept'], a.accept);
  assert.equal(a.headers['sec-websocket-protocol'], undefined);
  const ready = await a.next('ready');
  assert.deepEqual([ready.userId, ready.accountId, typeof ready.heartbeatSeconds], [s.user, s.user, 'number']);
  const b = await Socket.open({ protocols: ['lifeos.v1', `bearer.${s.token}`] });
  assert.equal(b.headers['sec-websocket-protocol'], 'lifeos.v1');
  assert.ok(!b.head.includes(s.token), 'the token is not echoed');
  assert.equal((await b.next('ready')).userId, s.user);
  const c = await Socket.open();
  c.send({ op: 'subscribe', sessionId: s.id });
  assert.deepEqual(await c.next('error').then((e) => [e.code, e.for, e.retryable]), ['AUTH_REQUIRED', 'subscribe', false]);
  c.send({ op: 'auth', token: s.token });
  assert.equal((await c.next('ready')).userId, s.user);
  const d = await Socket.open({ token: ingestToken });
  await d.next('ready');
  for (const ws of [a, b, c, d]) ws.close();
});

test('a bad identity is refused before the upgrade, or with 4401 after it', async () => {
  for (const how of [{ token: 'nonsense' }, { protocols: ['lifeos.v1', 'bearer.nonsense'] }]) {
    const ws = await Socket.open(how);
    assert.equal(ws.status, 401);
    assert.equal(JSON.parse(ws.body).code, 'AUTH_INVALID');
    ws.close();
  }
  const late = await Socket.open();
  late.send({ op: 'auth', token: 'nonsense' });
  assert.equal((await late.next('error')).code, 'AUTH_INVALID');
  assert.equal((await late.end()).code, 4401);
});

test('what is no upgrade of ours is refused with its reason', async () => {
  const s = await newSession();
  const rows = [
    [{ path: `/v1/realtime/ws?access_token=${s.token}` }, 400, 'INVALID_REQUEST'],
    [{ omit: ['upgrade'] }, 426, 'UPGRADE_REQUIRED'],
    [{ headers: { 'sec-websocket-version': '8' } }, 426, 'UPGRADE_REQUIRED'],
    [{ headers: { 'sec-websocket-key': 'short' } }, 400, 'INVALID_REQUEST'],
    [{ protocols: ['graphql-ws'] }, 400, 'INVALID_REQUEST'],
    [{ token: s.token, protocols: ['lifeos.v1', `bearer.${s.token}`] }, 400, 'INVALID_REQUEST'],
  ];
  for (const [how, status, code] of rows) {
    const ws = await Socket.open(how);
    assert.equal(ws.status, status, JSON.stringify(how));
    assert.equal(JSON.parse(ws.body).code, code);
    assert.ok(!ws.body.includes(s.token));
    if (status === 426) assert.match(ws.headers.upgrade, /websocket/i);
    ws.close();
  }
  assert.equal((await call('GET', '/v1/realtime/ws', { token: s.token })).status, 426);
});

test('a subscription hears the past, then the present, byte for byte as a replay tells it', async () => {
  const s = await newSession();
  await append([1, 2, 3].map((n) => partial(s.id, n)));
  const ws = await known(s);
  ws.send({ op: 'subscribe', sessionId: s.id });
  const subscribed = await ws.next('subscribed');
  assert.deepEqual([subscribed.sessionId, subscribed.fromSequence, subscribed.latestSequence, subscribed.status], [s.id, 0, 4, 'created']);
  for (let n = 4; n <= 20; n++) await append(partial(s.id, n));
  await ws.reached(s.id, 21);
  assert.deepEqual(ws.sequences(s.id), counted(21));
  const stored = await history(s.token, s.id);
  assert.deepEqual(ws.messages.filter((m) => m.op === 'event').map((m) => m.text), stored.map((e) => `{"op":"event","event":${JSON.stringify(e)}}`));
  ws.close();
});

test('many sessions share a socket; each is whole and in order', async () => {
  const user = unique('user'), token = userToken(user);
  const ids = [];
  for (let i = 0; i < 10; i++) ids.push((await call('POST', '/v1/call/sessions', { token, body: {} })).json.session.sessionId);
  await append(ids.flatMap((id) => counted(60).map((n) => partial(id, n))));
  const ws = await known({ token });
  for (const id of ids) ws.send({ op: 'subscribe', sessionId: id });
  for (let k = 0; k < 10; k++) await Promise.all(ids.map((id) => append(counted(5).map((n) => partial(id, 100 + k * 5 + n)))));
  for (const id of ids) { await ws.reached(id, 111); assert.deepEqual(ws.sequences(id), counted(111)); }
  ws.close();
});

test('a session of somebody else, an unknown one, and the same one twice are refused; the socket stays', async () => {
  const s = await newSession(), other = await newSession();
  const ws = await known(s);
  for (const id of [other.id, unique('no')]) {
    ws.send({ op: 'subscribe', sessionId: id });
    const e = await ws.next('error');
    assert.deepEqual([e.code, e.for, e.sessionId, e.retryable], ['SESSION_NOT_FOUND', 'subscribe', id, false]);
  }
  ws.send({ op: 'subscribe', sessionId: s.id });
  await ws.next('subscribed');
  ws.send({ op: 'subscribe', sessionId: s.id });
  assert.equal((await ws.next('error')).code, 'INVALID_REQUEST');
  await ws.reached(s.id, 1);
  ws.send({ op: 'unsubscribe', sessionId: s.id });
  assert.equal((await ws.next('unsubscribed')).reason, 'client');
  await append(partial(s.id, 1));
  ws.send({ op: 'ping', id: 'p1' });
  assert.equal((await ws.next('pong')).id, 'p1');
  assert.deepEqual(ws.sequences(s.id), [1]);
  ws.close();
});

test('acknowledged means stored: the next subscription of this consumer begins there', async () => {
  const s = await newSession();
  await append(counted(9).map((n) => partial(s.id, n)));
  const ws = await known(s);
  ws.send({ op: 'subscribe', sessionId: s.id, consumerId: 'phone' });
  assert.equal((await ws.next('subscribed')).fromSequence, 0);
  await ws.reached(s.id, 10);
  for (let n = 1; n <= 10; n++) ws.send({ op: 'ack', sessionId: s.id, sequence: n });
  await ws.until(() => ws.messages.some((m) => m.op === 'acked' && m.sequence === 10));
  ws.send({ op: 'ack', sessionId: s.id, sequence: 99 });
  assert.deepEqual(await ws.next('error').then((e) => [e.code, e.for]), ['CURSOR_AHEAD', 'ack']);
  ws.close();
  await append(partial(s.id, 10));
  const again = await known(s);
  again.send({ op: 'subscribe', sessionId: s.id, consumerId: 'phone' });
  assert.equal((await again.next('subscribed')).fromSequence, 10);
  await again.reached(s.id, 11);
  assert.deepEqual(again.sequences(s.id), [11]);
  again.send({ op: 'unsubscribe', sessionId: s.id });
  again.send({ op: 'subscribe', sessionId: s.id, afterSequence: 99 });
  assert.deepEqual(await again.next('reset').then((r) => [r.reason, r.fromSequence]), ['cursor_ahead', 0]);
  again.close();
});

test('a session is resumed on the socket, and the token changes hands', async () => {
  const s = await newSession();
  const first = s.session.resumeToken;
  await call('POST', `/v1/call/sessions/${s.id}/state`, { token: s.token, body: { status: 'active' } });
  const ws = await known(s);
  ws.send({ op: 'subscribe', sessionId: s.id, resumeToken: first, lastAckSequence: 1 });
  const subscribed = await ws.next('subscribed');
  assert.equal(subscribed.fromSequence, 1);
  assert.ok(subscribed.resumeToken && subscribed.resumeToken !== first);
  ws.send({ op: 'unsubscribe', sessionId: s.id });
  ws.send({ op: 'subscribe', sessionId: s.id, resumeToken: 'resume_nonsense' });
  const e = await ws.next('error');
  assert.equal(e.code, 'INVALID_RESUME_TOKEN');
  assert.ok(!e.text.includes('nonsense'));
  ws.close();
});

test('three messages that are none end in 4400; known ones with bad fields are only refused', async () => {
  const s = await newSession();
  const ws = await known(s);
  for (const bad of [{ op: 'subscribe' }, { op: 'subscribe', sessionId: s.id, more: 1 }, { op: 'ack', sessionId: s.id, sequence: -1 }, { op: 'ack', sessionId: s.id, sequence: 1 }]) {
    ws.send(bad);
    assert.equal((await ws.next('error')).code, 'INVALID_REQUEST', JSON.stringify(bad));
  }
  ws.send('not json');
  assert.equal((await ws.next('error')).code, 'INVALID_JSON');
  ws.send({ op: 'dance' });
  assert.equal((await ws.next('error')).code, 'INVALID_REQUEST');
  ws.send('[]');
  assert.equal((await ws.end()).code, 4400);
});

test('mistakes of the protocol end with its codes', async () => {
  const s = await newSession();
  const rows = [
    [frame(2, 'x'), 1003],
    [frame(1, '{}', { mask: false }), 1002],
    [frame(1, '{}', { rsv: 4 }), 1002],
    [frame(3, ''), 1002],
    [frame(0, 'x'), 1002],
    [frame(1, Buffer.from([0xc3, 0x28])), 1007],
    [frame(1, 'x'.repeat(20000)), 1009],
  ];
  for (const [bytes, code] of rows) {
    const ws = await known(s);
    ws.raw(bytes);
    assert.equal((await ws.end()).code, code);
  }
  const ws = await known(s);
  ws.raw(frame(8, Buffer.from([0x03, 0xe8])));
  assert.equal((await ws.end()).code, 1000);
});

test('who talks too much is closed with 1008', async () => {
  const s = await newSession();
  const ws = await known(s);
  ws.raw(Buffer.concat(counted(1000).map((n) => frame(1, `{"op":"ping","id":"${n}"}`))));
  assert.equal((await ws.end()).code, 1008);
});

test('subscriptions survive a killed writer', async () => {
  const s = await newSession();
  const ws = await known(s);
  ws.send({ op: 'subscribe', sessionId: s.id });
  await ws.next('subscribed');
  await append(partial(s.id, 1));
  await ws.reached(s.id, 2);
  kill('writer');
  for (let n = 2; n <= 10; n++) await append(partial(s.id, n));
  await ws.reached(s.id, 11);
  assert.deepEqual(ws.sequences(s.id), counted(11));
  assert.deepEqual(ws.messages.filter((m) => m.op !== 'event' && m.op !== 'ready' && m.op !== 'subscribed'), []);
  ws.close();
});

test('the WebSocket a browser has works as it is', { skip: globalThis.WebSocket ? false : 'this node has none' }, async () => {
  const s = await newSession();
  await append(partial(s.id, 1));
  const ws = new WebSocket(url.replace(/^http/, 'ws') + '/v1/realtime/ws', ['lifeos.v1', `bearer.${s.token}`]);
  const heard = [];
  await new Promise((resolve, reject) => {
    ws.onerror = reject;
    ws.onmessage = ({ data }) => {
      const m = JSON.parse(data);
      if (m.op === 'ready') ws.send(JSON.stringify({ op: 'subscribe', sessionId: s.id }));
      if (m.op === 'event') heard.push(m.event.sequence);
      if (heard.length === 2) resolve();
    };
  });
  assert.equal(ws.protocol, 'lifeos.v1');
  assert.deepEqual(heard, [1, 2]);
  ws.close();
});
