// real - the gateway of this run, asked directly, and what it asked the model.
import { randomUUID } from 'node:crypto';

const need = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set: tests/suites/openclaw starts the gateway`);
  return process.env[name];
};

export const url = need('LIFEOS_OPENCLAW_URL');
export const token = need('LIFEOS_OPENCLAW_TOKEN');
export const dir = need('LIFEOS_GATEWAY_DIR');
const control = need('LIFEOS_GATEWAY_CONTROL');

const ask = async (method, path, body) => (await fetch(control + path, { method, body: body && JSON.stringify(body) })).json();
export const gateway = () => ask('GET', '/');
export const start = () => ask('POST', '/start');
export const script = (turns) => ask('POST', '/script', turns);
export const forget = () => ask('DELETE', '/requests');
/** What the model was asked that has this text in it. */
export const asked = async (text) => (await ask('GET', '/requests')).filter((r) => JSON.stringify(r.body).includes(text));

/** What is to be answered, in the words of the user. */
export const fake = (turn) => `@@fake${JSON.stringify(turn)}@@`;

export const sessionKey = () => `agent:recruiter:dashboard:incognito-${randomUUID()}`;

export function responses(at, body, { headers = {}, signal } = {}) {
  return fetch(`${at}/v1/responses`, { method: 'POST', signal, body: typeof body === 'string' ? body : JSON.stringify({ model: 'openclaw/recruiter', stream: true, ...body }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-openclaw-message-channel': 'voice', 'x-openclaw-session-key': sessionKey(), ...headers } });
}

/** The events of a stream: {type, ...}; '[DONE]' as it is. */
export const events = (text) => text.split('\n').filter((l) => l.startsWith('data: ')).map((l) => (l === 'data: [DONE]' ? '[DONE]' : JSON.parse(l.slice(6))));
