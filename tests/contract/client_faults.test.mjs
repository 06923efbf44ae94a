// The JavaScript client against an appliance that errs on command: nothing twice, nothing out of order, nothing silent.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Realtime, Transcript } from '../../daemons/frontend/web/realtime.js';
import { SseParser } from '../../daemons/frontend/web/transport_sse.js';
import { until } from './client.mjs';
import { FakeGateway } from './fake_gateway.mjs';
import { counted } from './sse.mjs';
import { WebSocketClient } from './websocket.mjs';

const open = [];
afterEach(() => { for (const x of open.splice(0)) x.close(); });

/** A fake, a client of it, and one session that keeps what it hears. */
async function scene(transport, { gateway = {}, client = {}, session = {} } = {}) {
  const g = await FakeGateway.start(gateway);
  const rt = new Realtime({
    url: g.url, token: 'secret', transport, WebSocket: WebSocketClient, backoff: { min: 10, max: 50 }, storage: null, ...client,
  });
  open.push(rt, g);
  const s = rt.session('s1', session);
  const heard = [];
  s.on('event', (e) => heard.push(e.sequence));
  return { g, rt, s, heard, reached: (n) => until(`event ${n} (heard ${heard.join(' ')})`, () => heard.at(-1) >= n) };
}

for (const transport of ['sse', 'websocket']) {
  test(`${transport}: a skipped event ends the line, and the next one starts after the last good event`, async () => {
    const { g, rt, heard, reached } = await scene(transport);
    const first = await g.follow(1);
    for (const n of [1, 2, 4, 5]) first.event(n);
    const second = await g.follow(2);
    assert.equal(second.after, 2);
    await until('the first line to be left', () => first.over);
    for (const n of [3, 4, 5, 6]) second.event(n);
    await reached(6);
    assert.deepEqual(heard, counted(6));
    assert.equal(rt.stats.gaps, 1);
  });

  test(`${transport}: what arrives again is suppressed and counted`, async () => {
    const { g, rt, heard, reached } = await scene(transport);
    const f = await g.follow(1);
    for (const n of [1, 2, 2, 1, 3, 3, 4]) f.event(n);
    await reached(4);
    assert.deepEqual(heard, counted(4));
    assert.equal(rt.stats.duplicates, 3);
    assert.equal(g.follows.length, 1);
  });

  test(`${transport}: a reset is told to the application, and everything after fromSequence follows again`, async () => {
    const { g, rt, s, heard, reached } = await scene(transport, { session: { after: 40 } });
    const resets = [];
    s.on('reset', (r) => { resets.push(r); heard.length = 0; });
    const f = await g.follow(1);
    assert.equal(f.after, 40);
    f.reset({ reason: 'cursor_ahead', fromSequence: 0, latestSequence: 3 });
    for (const n of [1, 2, 3]) f.event(n);
    await reached(3);
    assert.deepEqual(heard, [1, 2, 3]);
    assert.deepEqual(resets, [{ reason: 'cursor_ahead', fromSequence: 0, latestSequence: 3, had: 40 }]);
    assert.equal(rt.stats.resets, 1);
    f.cut();
    assert.equal((await g.follow(2)).after, 3, 'it goes on from the new count');
  });

  test(`${transport}: a line that is cut again and again loses and repeats nothing`, async () => {
    const { g, rt, heard, reached } = await scene(transport);
    for (let n = 1; n <= 20; n++) {
      const f = await g.follow(n);
      assert.equal(f.after, n - 1);
      f.event(n);
      await reached(n);
      f.cut();
    }
    assert.deepEqual(heard, counted(20));
    await g.follow(21);
    await until('20 reconnects', () => rt.stats.reconnects === 20);
  });

  test(`${transport}: a line without a heartbeat is replaced`, async () => {
    const { g, rt, heard, reached } = await scene(transport, { gateway: { heartbeat: 0.2 } });
    const f = await g.follow(1);
    if (f.socket) f.socket.deaf = true;
    f.event(1);
    const second = await g.follow(2);
    assert.equal(second.after, 1);
    assert.ok(rt.stats.stalls >= 1);
    second.event(2);
    await reached(2);
    assert.deepEqual(heard, [1, 2]);
  });

  test(`${transport}: after a wake a line that does not answer is replaced at once, not after the heartbeat`, async () => {
    const { g, rt } = await scene(transport);
    const f = await g.follow(1);
    if (f.socket) f.socket.deaf = true;
    rt.wake();
    await g.follow(2, 10);
    assert.equal(rt.stats.wakes, 1);
  });

  test(`${transport}: a refused token is asked for anew, once`, async () => {
    const asked = [];
    const { g, rt, s } = await scene(transport, {
      gateway: { tokens: new Set(['t2', 't3']) },
      client: { token: (reason) => { asked.push(reason); return `t${asked.length}`; } },
    });
    const first = await g.follow(1);
    assert.deepEqual(asked, ['first', 'refused']);
    first.expire();
    await g.follow(2);
    assert.deepEqual(asked, ['first', 'refused', 'refused'], 'an expired one too');
    g.tokens = new Set();
    const failed = new Promise((resolve) => { s.on('error', resolve); });
    g.follows[1].expire();
    assert.equal((await failed).status, 401);
    assert.equal(asked.length, 4);
    assert.equal(rt.state.state, 'failed');
    g.tokens = new Set(['mended']);
    rt.setToken('mended');
    await g.follow(3);
  });

  test(`${transport}: a token that is a string and refused fails the session, and nobody is asked for ever`, async () => {
    const { s, g } = await scene(transport, { gateway: { tokens: new Set() } });
    const error = await new Promise((resolve) => { s.on('error', resolve); });
    assert.equal(error.code, 'AUTH_INVALID');
    assert.equal(s.state, 'failed');
    assert.ok(g.requests.length <= 3);
    await assert.rejects((async () => { for await (const e of s) assert.fail(e); })(), /no/);
  });

  test(`${transport}: a slow loop holds a bounded number of events and misses none`, async () => {
    const g = await FakeGateway.start();
    const rt = new Realtime({ url: g.url, token: 'secret', transport, WebSocket: WebSocketClient, backoff: { min: 10, max: 50 } });
    open.push(rt, g);
    const s = rt.session('s1', { buffer: 8 });
    const seen = [], states = [];
    s.on('state', (x) => states.push(x));
    const loop = (async () => {
      for await (const e of s) {
        seen.push(e.sequence);
        if (seen.length === 1) await g.follow(1).then((f) => until('the line to be left', () => f.over));
        if (e.sequence === 60) break;
      }
    })();
    let at = 0;
    while (seen.at(-1) !== 60) {
      const f = await g.follow(++at);
      for (let n = f.after + 1; n <= 60; n++) f.event(n);
      await until('the next line or the end', () => g.follows.length > at || seen.at(-1) === 60);
    }
    await loop;
    assert.deepEqual(seen, counted(60));
    assert.ok(states.includes('full'));
    assert.ok(g.follows.slice(1).every((f, i) => f.after - g.follows[i].after <= 10), 'no line took more than the buffer');
  });

  test(`${transport}: a broken loop has lost nothing for the next one`, async () => {
    const g = await FakeGateway.start();
    const rt = new Realtime({ url: g.url, token: 'secret', transport, WebSocket: WebSocketClient });
    open.push(rt, g);
    const s = rt.session('s1');
    const seen = [];
    const take = async (until_) => {
      for await (const e of s) { seen.push(e.sequence); if (e.sequence === until_) break; }
    };
    const first = take(3);
    const f = await g.follow(1);
    for (const n of counted(10)) f.event(n);
    await first;
    await until('the line to be left', () => f.over);
    const second = take(10);
    const again = await g.follow(2);
    assert.equal(again.after, 3);
    for (const n of counted(10, 4)) again.event(n);
    await second;
    assert.deepEqual(seen, counted(10));
  });

  test(`${transport}: acknowledgements are coalesced, and the last one is sent on closing`, async () => {
    const began = Date.now();
    const { g, s, reached } = await scene(transport, { session: { consumerId: 'web', after: 0 } });
    const f = await g.follow(1);
    for (let n = 1; n <= 50; n++) f.event(n);
    await until('50 acknowledged', () => s.ackedSequence === 50);
    assert.ok(g.acks.length <= 2, `${g.acks.length} requests for 50 events`);
    for (let n = 51; n <= 60; n++) { f.event(n); await reached(n); }
    await until('60 acknowledged', () => g.acks.at(-1).sequence === 60);
    const most = 2 + (Date.now() - began) / 250;
    assert.ok(g.acks.length <= most, `${g.acks.length} acknowledgements, not over ${most} in this time`);
    f.event(61);
    await reached(61);
    s.close();
    await until('the last acknowledgement', () => g.acks.at(-1).sequence === 61);
  });

  test(`${transport}: only what the application is done with is acknowledged`, async () => {
    const g = await FakeGateway.start();
    const rt = new Realtime({ url: g.url, token: 'secret', transport, WebSocket: WebSocketClient });
    open.push(rt, g);
    const s = rt.session('s1', { consumerId: 'worker', after: 0 });
    const loop = s[Symbol.asyncIterator]();
    const first = loop.next();
    const f = await g.follow(1);
    for (const n of counted(5)) f.event(n);
    assert.equal((await first).value.sequence, 1);
    assert.equal((await loop.next()).value.sequence, 2);
    await until('the first to be acknowledged', () => s.ackedSequence === 1);
    assert.deepEqual(g.acks.map((a) => a.sequence), [1]);
    const manual = rt.session('s2', { consumerId: 'worker', ack: 'manual', after: 0 });
    manual.on('event', () => {});
    const f2 = await g.follow(2);
    f2.event(1);
    f2.event(2);
    await until('two events', () => manual.sequence === 2);
    manual.ack(1);
    await until('one acknowledged', () => manual.ackedSequence === 1);
    assert.throws(() => rt.session('s3').ack(), /consumerId/);
  });
}

test('sse: Retry-After is waited out', async () => {
  const began = Date.now();
  const { g } = await scene('sse', { gateway: { refuse: [{ status: 503, headers: { 'retry-after': '1' } }, { status: 429 }] } });
  await g.follow(1);
  const tries = g.requests.filter((r) => r.path.includes('/events'));
  assert.equal(tries.length, 3);
  assert.ok(tries[1].at - tries[0].at >= 990, 'not before the second it was told to wait');
  assert.ok(tries[2].at - began < 10000);
});

test('sse: a session that does not exist fails with the appliance\'s code, and is not asked for again', async () => {
  const { g, s } = await scene('sse', { gateway: { refuse: [{ status: 404, code: 'SESSION_NOT_FOUND' }] } });
  const error = await new Promise((resolve) => { s.on('error', resolve); });
  assert.equal(error.code, 'SESSION_NOT_FOUND');
  assert.equal(g.requests.length, 1);
});

test('websocket: many sessions share one socket', async () => {
  const { g, rt } = await scene('websocket');
  const ends = counted(30, 2).map((n) => rt.session(`s${n}`)).map((s) => new Promise((resolve) => { s.on('event', resolve); }));
  await g.follow(30);
  for (const f of g.follows) f.event(1);
  await Promise.all(ends);
  assert.equal(g.sockets.length, 1);
});

test('websocket: events of a subscription that was given up are not taken for its successor\'s', async () => {
  const { g, heard, reached } = await scene('websocket');
  const f = await g.follow(1);
  f.late = () => { f.event(2); f.event(3); };
  f.event(1);
  f.event(3);
  const second = await g.follow(2);
  assert.equal(second.after, 1);
  for (const n of [2, 3, 4]) second.event(n);
  await reached(4);
  assert.deepEqual(heard, counted(4));
});

test('auto: where WebSockets are refused, event streams are used; when they work again, sessions move over unharmed', async () => {
  const { g, rt, heard, reached } = await scene('auto', { gateway: { upgrades: false, heartbeat: 0.4 }, client: { retryWebSocketMs: 300, heartbeatSeconds: 0.4 } });
  const f = await g.follow(1);
  assert.equal(f.transport, 'sse');
  assert.equal(g.requests.filter((r) => r.path.endsWith('/ws')).length, 2, 'it was tried twice');
  assert.equal(rt.stats.fallbacks, 1);
  f.event(1);
  await reached(1);
  g.upgrades = true;
  const moved = await until('a socket', () => g.follows.find((x) => x.transport === 'websocket'));
  assert.equal(moved.after, 1);
  moved.event(2);
  await reached(2);
  assert.deepEqual(heard, [1, 2]);
  assert.equal(rt.state.transport, 'websocket');
});

test('auto: an appliance that is away is not mistaken for one without WebSockets', async () => {
  const { g, rt, s } = await scene('auto');
  const f = await g.follow(1);
  assert.equal(f.transport, 'websocket');
  const port = Number(new URL(g.url).port);
  g.close();
  await until('the loss', () => s.state !== 'live');
  const back = await FakeGateway.start({ port });
  open.push(back);
  assert.equal((await back.follow(1)).transport, 'websocket');
  assert.equal(rt.stats.fallbacks, 0);
});

test('a handler that throws costs the others nothing', async () => {
  const complaints = [];
  const { g, s, reached } = await scene('sse', { client: { onError: (e) => complaints.push(e.message) } });
  s.on('usage.tick', () => { throw new Error('mine'); });
  const f = await g.follow(1);
  f.event(1);
  f.event(2);
  await reached(2);
  assert.deepEqual(complaints, ['mine', 'mine']);
});

test('what nobody listens to is not fetched, and waits for whoever comes', async () => {
  const { g, rt } = await scene('sse');
  const s = rt.session('s2');
  await g.follow(1);
  assert.equal(s.state, 'idle');
  const heard = [];
  const off = s.on('event', (e) => heard.push(e.sequence));
  const f = await g.follow(2);
  f.event(1);
  await until('one event', () => heard.length === 1);
  off();
  f.event(2);
  await until('the line to be left', () => f.over);
  s.on('event', (e) => heard.push(e.sequence));
  assert.equal((await g.follow(3)).after, 1);
});

test('the parser of event streams holds to the standard, wherever the bytes are cut', () => {
  const text = '\ufeff: hi\r\ndata: a\r\ndata:b\r\n\r\nevent: x\rdata:  c\r\rid: 9\ndata\n\nretry: 250\nretry: 2x\nevent: lost\n\ndata: é🎧\n\n';
  const want = [['message', 'a\nb'], ['x', ' c'], ['message', ''], ['retry', 250], ['message', 'é🎧']];
  const bytes = new TextEncoder().encode(text);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const got = [], decoder = new TextDecoder();
    const p = new SseParser({ message: (name, data) => got.push([name, data]) > 0, retry: (ms) => got.push(['retry', ms]) });
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) p.push(decoder.decode(piece, { stream: true }));
    assert.deepEqual(got, want, `cut at ${cut}`);
  }
});

test('a transcript is the same in whatever order its events come', () => {
  const say = (sequence, type, utteranceId, text) => ({ sequence, type: `transcript.${type}`, eventId: `e${sequence}`, ts: '', payload: { utteranceId, speaker: 'user', text, startMs: 0, endMs: 1 } });
  const events = [say(1, 'partial', 'a', 'he'), say(2, 'partial', 'b', 'wor'), say(3, 'final', 'a', 'hello'), say(4, 'partial', 'a', 'late'), say(5, 'final', 'a', 'hello.'), say(6, 'partial', 'b', 'world')];
  const want = ['a:hello.:true', 'b:world:false'];
  const show = (t) => t.list().map((u) => `${u.utteranceId}:${u.text}:${u.final}`);
  for (let i = 0; i < 720; i++) {
    const pool = [...events], t = new Transcript();
    for (let k = i, n = pool.length; n > 0; k = Math.floor(k / n), n--) t.add(pool.splice(k % n, 1)[0]);
    for (const e of events) t.add(e);
    assert.deepEqual(show(t), want);
  }
  const t = new Transcript({ limit: 2 });
  for (const e of events) t.add(e);
  t.add(say(7, 'final', 'c', '!'));
  assert.deepEqual(show(t), ['b:world:false', 'c:!:true'], 'bounded: the oldest goes');
  t.seed([say(5, 'final', 'a', 'hello.'), say(2, 'partial', 'b', 'wor')].map((e) => ({ ...e, ...e.payload })));
  t.add(say(6, 'partial', 'b', 'world'));
  assert.deepEqual(show(t), want);
  assert.equal(t.add({ type: 'usage.tick', sequence: 8, payload: {} }), null);
  assert.equal(t.add(say(9, 'final', '  ', 'x')), null);
});
