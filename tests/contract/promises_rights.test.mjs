// T6 and T8 of the promises: who does harm harms only himself, and who lost his right hears nothing more.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { append, call, metricsUrl, newSession, operator, partial, replay, until, url, userToken } from './client.mjs';
import { known, subscribed, ways } from './follow.mjs';
import { counted } from './sse.mjs';
import { Socket, frame } from './ws.mjs';

/* ---- T6 ---- */

const counter = async (name, label = '') => {
  const text = await (await fetch(metricsUrl)).text();
  return [...text.matchAll(new RegExp(`^lifeos_${name}(\\{[^}]*\\})? (\\d+)`, 'gm'))]
    .filter((m) => (m[1] ?? '').includes(label)).reduce((sum, m) => sum + Number(m[2]), 0);
};

/** Follows, hears that it does, and never reads again: the kernel's buffers fill up, then ours. */
function deaf(bytes) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port });
  let heard = '';
  socket.on('error', () => {});
  socket.write(bytes);
  return new Promise((done) => {
    socket.on('data', (d) => {
      heard += d.toString('latin1');
      if (!/event: ready|"subscribed"/.test(heard)) return;
      socket.pause();
      done(socket);
    });
  });
}

const deafStream = (s) => deaf(`GET /v1/realtime/sessions/${s.id}/events HTTP/1.1\r\nHost: deaf\r\nAccept: text/event-stream\r\n`
  + `Authorization: Bearer ${s.token}\r\n\r\n`);
const deafSocket = (s) => deaf(Buffer.concat([Buffer.from('GET /v1/realtime/ws HTTP/1.1\r\nHost: deaf\r\nUpgrade: websocket\r\n'
  + `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${s.token}\r\n\r\n`),
frame(1, JSON.stringify({ op: 'subscribe', sessionId: s.id }))]));

const poisons = {
  'a token that is none': {
    counts: ['http_auth_failures_total'],
    act: async (s) => {
      for (const token of ['nonsense', `${s.token}x`, 'a.b.c', 'lok__', 'x'.repeat(4000)]) {
        const headers = { accept: 'text/event-stream' };
        assert.equal((await call('GET', `/v1/realtime/sessions/${s.id}/events`, { token, headers })).status, 401);
        const ws = await Socket.open({ token });
        assert.equal(ws.status, 401);
        ws.close();
      }
    },
  },
  'frames that are none': {
    counts: ['sockets_closed_total', 'protocol'],
    act: async (s) => {
      for (const bytes of [Buffer.alloc(5000, 0xff), frame(3, 'x'), frame(1, Buffer.from([0xc3, 0x28])), frame(1, 'x'.repeat(20000))]) {
        const ws = await subscribed(s.token, s.id);
        ws.raw(bytes);
        await ws.end();
      }
    },
  },
  'a flood of messages': {
    counts: ['sockets_closed_total', 'protocol'],
    act: async (s) => {
      const ws = await subscribed(s.token, s.id);
      ws.raw(Buffer.concat(counted(2000).map((n) => frame(1, `{"op":"ping","id":"${n}"}`))));
      assert.equal((await ws.end()).code, 1008);
    },
  },
  'clients that never read': {
    counts: ['stream_stalled_total'],
    begin: (s) => Promise.all(counted(6).map((n) => (n % 2 ? deafStream(s) : deafSocket(s)))),
    // What the two kernels buffer differs from machine to machine: more is sent until nothing more fits.
    act: (s, before) => until('the deaf to be closed', async () => {
      await append(counted(100).map((n) => ({ ...partial(s.id, n), payload: { ...partial(s.id, n).payload, text: 'y'.repeat(4000) } })));
      return await counter('stream_stalled_total') >= before + 6;
    }, 90),
  },
};

for (const [what, { counts, begin, act }] of Object.entries(poisons)) {
  test(`T6 ${what}: nobody else is harmed, and it is counted`, async (t) => {
    const s = await newSession(), other = await newSession(), big = 'x'.repeat(4000);
    const before = await counter(...counts);
    const bad = await begin?.(s) ?? [];
    t.after(() => bad.forEach((b) => b.destroy()));
    const good = [];
    for (const who of [s, s, s, s, other]) for (const follow of Object.values(ways)) good.push(await follow(who));
    const acting = act(s, before);
    for (let i = 0; i < 20; i++)
      for (const who of [s, other])
        await append(counted(100).map((n) => ({ ...partial(who.id, n), payload: { ...partial(who.id, n).payload, text: big } })));
    for (const c of good) {
      await c.reached(2001);
      assert.deepEqual(c.sequences(), counted(c.sequences().length));
    }
    await acting;
    await until('the count', async () => await counter(...counts) > before);
  });
}

/* ---- T8 ---- */

/** A person whose account is suspended, a service whose key is revoked. */
const rights = {
  'an account that is suspended': async () => {
    const s = await newSession();
    return { s, token: s.token, revoke: () => operator('account', 'set', s.user, '--status', 'suspended'), status: 403, code: 'ACCOUNT_SUSPENDED' };
  },
  'a key that is revoked': async () => {
    const s = await newSession();
    const key = operator('key', 'create', '--scope', 'operator', '--account', '*', '--label', 'T8').trim();
    return { s, token: key, revoke: () => operator('key', 'revoke', key.split('_')[1]), status: 401, code: 'AUTH_INVALID' };
  },
};

for (const [who, make] of Object.entries(rights)) {
  for (const [way, follow] of Object.entries(ways)) {
    test(`T8 ${who} while it listens: the stream ends, and nothing that is written after that is heard (${way})`, async () => {
      for (let i = 0; i < 5; i++) {
        const { s, token, revoke } = await make();
        const c = await follow(s, 0, token);
        await c.reached(1);
        revoke();
        for (let n = 1; n <= 5; n++) await append(partial(s.id, n));
        assert.equal(await c.ended(), 'revoked');
        assert.deepEqual(c.sequences(), [1]);
        c.close();
      }
    });
  }

  test(`T8 ${who} while it is away: it does not come back, on either transport`, async () => {
    const { s, token, revoke, status, code } = await make();
    for (const follow of Object.values(ways)) {
      const c = await follow(s, 1, token);
      c.close();
    }
    const open = who.includes('account') ? await known(token) : null;
    revoke();
    await append(partial(s.id, 1));
    const is = (r) => assert.deepEqual([r.status, r.json?.code], [status, code], r.text);
    for (let i = 0; i < 6; i++) { // any frontend, whatever it remembers
      is(await call('GET', `/v1/realtime/sessions/${s.id}/events`, { token, headers: { accept: 'text/event-stream', 'last-event-id': '1' } }));
      is(await replay(token, s.id, '?afterSequence=1'));
      if (who.includes('account'))
        is(await call('POST', `/v1/call/sessions/${s.id}/reconnect`, { token, body: { resumeToken: s.session.resumeToken } }));
      const ws = await Socket.open({ token });
      if (ws.status === 101) {
        ws.send({ op: 'subscribe', sessionId: s.id, afterSequence: 1 });
        assert.equal((await ws.next('error')).code, code);
        assert.deepEqual(ws.events(s.id), []);
      } else { assert.equal(ws.status, status); }
      ws.close();
    }
    if (!open) return;
    open.send({ op: 'subscribe', sessionId: s.id, resumeToken: s.session.resumeToken, lastAckSequence: 1 });
    assert.equal((await open.next('error')).code, code, 'a socket that was open before');
    open.close();
    is(await replay(userToken(s.user), s.id, '?afterSequence=1')); // nor with a new token
  });
}
