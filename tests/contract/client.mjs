// client.mjs - the product as a frontend developer sees it: one origin, bearer tokens, JSON.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

const need = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set: run tests/stack up and source the file it prints`);
  return process.env[name];
};

export const url = need('LIFEOS_URL');
export const metricsUrl = need('LIFEOS_METRICS_URL');
export const livekitKey = need('LIFEOS_LIVEKIT_API_KEY');
export const livekitSecret = need('LIFEOS_LIVEKIT_API_SECRET');
export const ingestToken = need('LIFEOS_INGEST_TOKEN');

const tokenCommand = (process.env.LIFEOS_TOKEN_CMD ?? new URL('../stack', import.meta.url).pathname + ' token').split(' ');
const killCommand = (process.env.LIFEOS_KILL_CMD ?? new URL('../stack', import.meta.url).pathname + ' kill').split(' ');
const ctlCommand = (process.env.LIFEOS_CTL_CMD ?? new URL('../stack', import.meta.url).pathname + ' ctl').split(' ');

export const unique = (prefix) => `${prefix}-${randomBytes(8).toString('hex')}`;

/** A person's token, signed by the appliance's issuer. */
export function userToken(user, { account, role } = {}) {
  const more = [...(account ? ['--account', account] : []), ...(role ? ['--role', role] : [])];
  return execFileSync(tokenCommand[0], [...tokenCommand.slice(1), '--user', user, ...more], { encoding: 'utf8' }).trim();
}

/** The operator's lifeosctl; throws what it said unless it succeeds. */
export function operator(...words) {
  return execFileSync(ctlCommand[0], [...ctlCommand.slice(1), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** kill -9; returns when the process is gone. */
export function kill(daemon) {
  execFileSync(killCommand[0], [...killCommand.slice(1), daemon], { encoding: 'utf8' });
}

export async function call(method, path, { token, body, headers = {}, raw, at = url } = {}) {
  const res = await fetch(at + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body !== undefined ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: raw ?? (body !== undefined ? JSON.stringify(body) : undefined),
    redirect: 'manual',
  });
  const text = await res.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: res.status, headers: res.headers, text, json };
}

/** A user with a token and a session of his own. */
export async function newSession(extra = {}) {
  const user = unique('user');
  const token = userToken(user);
  const { status, json } = await call('POST', '/v1/call/sessions', { token, body: extra });
  if (status !== 200) throw new Error(`session create: ${status} ${JSON.stringify(json)}`);
  return { user, token, session: json.session, id: json.session.sessionId };
}

export const partial = (sessionId, n, more = {}) => ({
  sessionId, type: 'transcript.partial',
  payload: { utteranceId: `utt-${n}`, speaker: 'user', text: `word ${n}`, startMs: n, endMs: n + 1 }, ...more,
});

export const append = (body, token = ingestToken, headers = {}) =>
  call('POST', '/v1/realtime/events', { token, body, headers });

export const replay = (token, id, query = '') => call('GET', `/v1/realtime/sessions/${id}/events${query}`, { token });

/** Every stored event, page by page, asked for again while a part restarts. */
export async function history(token, id) {
  const events = [];
  for (let after = 0; ;) {
    const { status, json } = await persistent('GET', `/v1/realtime/sessions/${id}/events?afterSequence=${after}&limit=500`, { token });
    if (status !== 200) throw new Error(`replay: ${status}`);
    events.push(...json.events);
    if (!json.hasMore) return events;
    after = json.nextCursor;
  }
}

/** What a call's end brings along: its seconds and its participants', metered in the same transaction. */
export const billed = ['billing.usage.recorded', 'billing.usage.recorded'];
/** Without what is said of money. */
export const unbilled = (events) => events.filter((e) => !e.type.startsWith('billing.'));

/** Waits for a condition; `seconds` is a bound, never a guess. */
export async function until(what, check, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${seconds} s`);
    await wait(10);
  }
}

/** A client that retries what failed on the way, as ours is told to: same request, same key. */
export async function persistent(method, path, options, seconds = 30) {
  return until(`an answer to ${method} ${path}`, async () => {
    try {
      const r = await call(method, path, options);
      return r.status === 503 || r.status === 502 ? undefined : r;
    } catch { return undefined; }
  }, seconds);
}
