// ai.mjs - turns of the assistant, and what the scripted gateway behind them is told to do (tests/lib/openclaw_answer.mjs).
import { call, unique, userToken } from './client.mjs';

/** Where the stand-in is scripted; empty when a real gateway is behind the stack. */
export const control = process.env.LIFEOS_OPENCLAW_CONTROL ?? '';
export const scripted = control ? {} : { skip: 'the gateway of this run cannot be scripted' };

/** What is to be answered, in the user's own words. */
export const fake = (turn) => `@@fake${JSON.stringify(turn)}@@`;

const ask = async (method, path, body) => (await fetch(control + path, { method, body: body && JSON.stringify(body) })).json();
export const script = (turns) => ask('POST', '/__script', turns);
export const unscript = () => ask('DELETE', '/__script');
/** The requests that had this text in them, oldest first. */
export const asked = (text) => ask('GET', `/__log?match=${encodeURIComponent(text)}`);

export const turn = (s, text, more = {}, options = {}) =>
  call('POST', `/v1/call/sessions/${s.id}/turn`, { token: s.token, body: { text: typeof text === 'string' ? text : fake(text), ...more }, ...options });

/** A call that has begun; of a user of its own, or of who has this token. */
export const newCall = async (token = userToken(unique('user'))) => {
  const { json } = await call('POST', '/v1/call/sessions', { token, body: {} });
  const id = json.session.sessionId;
  await call('POST', `/v1/call/sessions/${id}/state`, { token, body: { status: 'active' } });
  return { token, id };
};

export const messages = async (s) => (await call('GET', `/v1/chat/conversations/${s.id}?limit=500`, { token: s.token })).json.messages;

/** A chat's stream: its status, and its frames in order. */
export async function chat(token, body, { signal } = {}) {
  const res = await fetch(`${process.env.LIFEOS_URL}/v1/chat/stream`, { method: 'POST', signal, body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
  const text = await res.text();
  const frames = text.split('\n\n').filter((b) => b.startsWith('event: ')).map((b) => ({ event: b.slice(7, b.indexOf('\n')), ...JSON.parse(b.slice(b.indexOf('data: ') + 6)) }));
  return { status: res.status, headers: res.headers, frames, of: (type) => frames.filter((f) => f.type === type).map((f) => f.payload) };
}
