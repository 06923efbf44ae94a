// follow.mjs - a client that follows one session, over either transport.
import { afterEach } from 'node:test';
import { until } from './client.mjs';
import { Listener } from './sse.mjs';
import { Socket } from './ws.mjs';

/** Gone with their test, however it ends. */
const open = new Set();
const opened = (c) => { open.add(c); return c; };
afterEach(() => { for (const c of open) c.close(); open.clear(); });

/** A WebSocket that has said who it is. */
export async function known(token) {
  const ws = opened(await Socket.open({ token }));
  await ws.next('ready');
  return ws;
}

export async function subscribed(token, sessionId, more = {}) {
  const ws = await known(token);
  ws.send({ op: 'subscribe', sessionId, ...more });
  await ws.next('subscribed');
  return ws;
}

/** Both ways to follow a session, under one interface. */
export const ways = {
  'server-sent events': async (s, cursor, token = s.token) => {
    const l = opened(new Listener(token, s.id, cursor === undefined ? {} : { headers: { 'last-event-id': String(cursor) } }));
    await l.ready();
    return {
      sequences: () => l.sequences, resets: () => l.named.reset, reached: (n) => l.reached(n), close: () => l.close(),
      ended: () => until('the end', () => l.named.close[0]).then((c) => c.reason),
    };
  },
  WebSocket: async (s, cursor, token = s.token) => {
    const ws = await subscribed(token, s.id, cursor === undefined ? {} : { afterSequence: cursor });
    return {
      sequences: () => ws.sequences(s.id), resets: () => ws.messages.filter((m) => m.op === 'reset'),
      reached: (n) => ws.reached(s.id, n), close: () => ws.close(),
      ended: () => ws.end().then((c) => (c.code === 4403 ? c.reason : `${c.code} ${c.reason}`)),
    };
  },
};
