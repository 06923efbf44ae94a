// livekit.mjs - LiveKit's side of the wire: its events, signed by its own SDK.
import { createHash } from 'node:crypto';
import { AccessToken } from 'livekit-server-sdk';
import { call, livekitKey, livekitSecret, unique } from './client.mjs';

let nth = 0;

export async function sign(body, { key = livekitKey, secret = livekitSecret, ttl = '5m', sha256 } = {}) {
  const t = new AccessToken(key, secret, { ttl });
  t.sha256 = sha256 ?? createHash('sha256').update(body).digest('base64');
  return t.toJwt();
}

/** One of LiveKit's events; they happen one second after the other, long ago. */
export const event = (name, room, more = {}) => ({
  event: name, id: `EV_${unique('t')}`, createdAt: String(1_760_000_000 + ++nth), room: { sid: 'RM_1', name: room }, ...more,
});
export const person = (sid, more = {}) => ({ sid, identity: 'someone', state: 'ACTIVE', joinedAt: '1760000001', joinedAtMs: '1760000001500', ...more });

export async function hook(payload, { authorization, type = 'application/webhook+json', raw, ...how } = {}) {
  const body = raw ?? JSON.stringify(payload);
  const auth = authorization === undefined ? await sign(body, how) : authorization;
  return call('POST', '/v1/providers/livekit/webhook', { raw: body, headers: { 'content-type': type, ...(auth ? { authorization: auth } : {}) } });
}
