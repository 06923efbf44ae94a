// openclaw_answer - one answer of the stand-in: the events of the gateway in their order, and every way they can go wrong.
//
// A turn, all members optional:
//   text | deltas     what is said; text is cut into words       tools      [{"name","args"|"rawArgs"}] functions called
//   flood: n          n deltas at once                           endless    deltas until the other side leaves
//   big: n            one delta of n characters                  usage      {"input","output"} tokens
//   delayMs           between deltas                             firstMs    before the first, behind the opening events
//   headersMs         before the response's headers              incomplete the answer is cut at the token limit
//   error             true, a message or {"code","message"}: response.failed; failAfter: n  after n deltas
//   hangAfter: n      says no more after n deltas; -1: not even headers
//   dropAfter: n      the connection breaks after n deltas; -1: before the headers
//   garbageAfter: n   after n deltas come bytes that are no events; garbage: which
//   badUtf8           a delta that is no UTF-8                   contradict the final text is another one, or this one
//   noTerminal        [DONE], but no response.completed          noDone     response.completed, but no [DONE]
//   lateUsage         the tokens come in an event of their own, behind response.completed
//   noise             comments, unknown events, data in several lines
//   crlf              lines end in CR LF                         pieces: n  written n bytes at a time
//   status, body      no stream at all: this HTTP status; retryAfter, headers, contentType go with it
//   redirect          302 to there
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { compose, words } from './openclaw_words.mjs';

class Gone extends Error {}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** An error of the request or of the link to us: no run began. */
export function refuse(res, status, type, message) {
  res.writeHead(status, { 'content-type': JSON_TYPE, ...(status === 503 ? { 'retry-after': '1' } : {}) }).end(JSON.stringify({ error: { message, type } }));
}

const seconds = () => Math.floor(Date.now() / 1000);

function shell({ id, created_at, model }, status, output = [], usage = [0, 0]) {
  return { id, object: 'response', created_at, status, model, output, usage: { input_tokens: usage[0], input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: usage[1], output_tokens_details: { reasoning_tokens: 0 }, total_tokens: usage[0] + usage[1] } };
}

/** Deltas as the gateway passes them on: spaces between two stand at the beginning of the second, the last ones are lost. */
export function* settled(deltas) {
  let held = '';
  let first = true;
  for (const d of deltas) {
    const s = first ? (held + d).trimStart() : held + d;
    const end = s.trimEnd();
    held = s.slice(end.length);
    if (!end) continue;
    first = false;
    yield end;
  }
}

function* deltasOf(turn) {
  if (turn.deltas) yield* turn.deltas;
  else if (turn.big) yield 'x'.repeat(turn.big);
  else if (turn.flood) for (let i = 0; i < turn.flood; i += 1) yield `${i} `;
  else if (turn.endless) for (let i = 0; ; i += 1) yield `on and on ${i} `;
  else yield* words(turn.text ?? '');
}

/** What writes to the other side, waits where it does not read, and stops where it has left. */
class Line {
  constructor(res, turn) {
    Object.assign(this, { res, turn, leave: new AbortController() });
    res.once('close', () => this.leave.abort());
  }

  async wait(ms) {
    if (!ms) return;
    try { await sleep(ms, undefined, { signal: this.leave.signal }); } catch { throw new Gone(); }
  }

  async forever() {
    if (!this.leave.signal.aborted) await once(this.leave.signal, 'abort');
    throw new Gone();
  }

  drop() {
    this.res.socket?.destroy();
    throw new Gone();
  }

  async put(data) {
    if (this.leave.signal.aborted) throw new Gone();
    let bytes = Buffer.from(this.turn.crlf && typeof data === 'string' ? data.replaceAll('\n', '\r\n') : data);
    for (const n = this.turn.pieces; n && bytes.length > n; bytes = bytes.subarray(n)) {
      this.res.write(bytes.subarray(0, n));
      await new Promise(setImmediate);
    }
    if (this.res.write(bytes)) return;
    try { await once(this.res, 'drain', { signal: this.leave.signal }); } catch { throw new Gone(); }
  }

  event(type, data) { return this.put(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`); }
}

/** The functions it calls, as the gateway hands them out; none that were not offered for it. */
function callsOf(turn, body) {
  if (body.tool_choice === 'none') return [];
  return (turn.tools ?? []).map((t) => ({ type: 'function_call', id: `call_${randomUUID()}`, call_id: randomBytes(5).toString('hex').slice(0, 9), name: t.name,
    arguments: t.rawArgs ?? JSON.stringify(t.args ?? {}), status: 'completed' }));
}

/** Why the run failed, if it did: {code, message}. */
function failureOf(turn, { body, fails }, text, calls) {
  if (fails) return fails;
  if (turn.error) {
    const e = typeof turn.error === 'string' ? { message: turn.error } : turn.error;
    return { code: e.code ?? 'api_error', message: e.message ?? 'internal error' };
  }
  const choice = body.tool_choice;
  if ((choice === 'required' && !calls.length) || (choice?.name && !calls.some((c) => c.name === choice.name)))
    return { code: 'api_error', message: 'tool_choice=required was not satisfied by the agent response' };
  return text || calls.length ? undefined : { code: 'api_error', message: 'internal error' };
}

const statusOf = ({ code, message }) => (code === 'rate_limit_error' ? 429 : code === 'authentication_error' ? 401 : message.includes('timeout') ? 408
  : code === 'invalid_request_error' ? 400 : /provider error|tool_choice/.test(message) ? 502 : 500);

export async function answer({ res, request, turn: scripted, entry, free }) {
  const turn = scripted ?? compose(request);
  const line = new Line(res, turn);
  try {
    await line.wait(turn.headersMs);
    if (turn.hangAfter === -1) await line.forever();
    if (turn.dropAfter === -1) line.drop();
    if (turn.redirect || turn.contentType || (turn.status && turn.status !== 200)) return instead(res, turn);
    return await (request.body.stream ? stream : whole)(line, request, turn, entry, free);
  } catch (e) {
    if (!(e instanceof Gone)) throw e;
    return undefined;
  }
}

/** An answer that is no stream. */
function instead(res, turn) {
  const status = turn.status ?? (turn.redirect ? 302 : 200);
  const body = turn.body ?? (turn.redirect ? '' : { error: { message: 'scripted', type: status === 401 ? 'unauthorized' : status === 429 ? 'rate_limited' : 'service_unavailable' } });
  res.writeHead(status, { 'content-type': turn.contentType ?? JSON_TYPE, ...(turn.retryAfter === undefined ? {} : { 'retry-after': String(turn.retryAfter) }),
    ...(turn.redirect ? { location: turn.redirect } : {}), ...turn.headers });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
}

const message = (id, text, more) => ({ type: 'message', id, role: 'assistant', content: [{ type: 'output_text', text }], ...more });

function usageOf(turn, body, spoken, calls) {
  return [turn.usage?.input ?? 100 + Math.ceil(JSON.stringify(body).length / 4),
    turn.usage?.output ?? spoken + calls.reduce((n, c) => n + Math.ceil(c.arguments.length / 4), 0)];
}

/** Without a stream. */
async function whole(line, request, turn, entry, free) {
  const { body } = request;
  await free;
  await line.wait(turn.firstMs);
  const calls = callsOf(turn, body).map(({ status, ...call }) => call);
  const said = [...settled(deltasOf({ ...turn, endless: undefined }))];
  const text = said.join('');
  const of = { id: `resp_${randomUUID()}`, created_at: seconds(), model: body.model };
  const failed = failureOf(turn, request, text, calls);
  const output = [...(text ? [message(`msg_${randomUUID()}`, text, { phase: calls.length ? 'commentary' : 'final_answer', status: 'completed' })] : []), ...calls];
  const response = failed ? { ...shell(of, 'failed'), error: failed } : shell(of, turn.incomplete ? 'incomplete' : 'completed', output, usageOf(turn, body, said.length, calls));
  line.res.writeHead(failed ? statusOf(failed) : 200, { 'content-type': JSON_TYPE }).end(JSON.stringify(response));
}

async function stream(line, request, turn, entry, free) {
  const { body } = request;
  const of = { id: `resp_${randomUUID()}`, created_at: seconds(), model: body.model };
  const item = { item_id: `msg_${randomUUID()}`, output_index: 0, content_index: 0 };
  line.res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...turn.headers });
  line.res.socket.setNoDelay(true);
  for (const type of ['response.created', 'response.in_progress']) await line.event(type, { response: shell(of, 'in_progress') });
  await line.event('response.output_item.added', { output_index: 0, item: { type: 'message', id: item.item_id, role: 'assistant', content: [], status: 'in_progress' } });
  await line.event('response.content_part.added', { ...item, part: { type: 'output_text', text: '' } });
  await free;
  await line.wait(turn.firstMs);
  const calls = callsOf(turn, body);
  // A function that must be called is waited for before anything is said.
  const unmet = failureOf({ ...turn, error: undefined }, request, 'something', calls);
  const text = unmet ? '' : await speak(line, turn, item, entry, deltasOf(turn));
  const failed = unmet ?? failureOf(turn, request, text, calls);
  const last = turn.contradict ? (typeof turn.contradict === 'string' ? turn.contradict : 'This is something else.') : text;
  const whole = message(item.item_id, last, { phase: calls.length ? 'commentary' : 'final_answer', status: turn.incomplete ? 'incomplete' : 'completed' });
  if (!failed) {
    await line.event('response.output_text.done', { ...item, text: last });
    await line.event('response.content_part.done', { ...item, part: { type: 'output_text', text: last } });
    await line.event('response.output_item.done', { output_index: 0, item: whole });
  }
  for (const [i, call] of (failed ? [] : calls).entries()) {
    await line.event('response.output_item.added', { output_index: i + 1, item: { ...call, status: undefined } });
    await line.event('response.output_item.done', { output_index: i + 1, item: call });
  }
  const usage = usageOf(turn, body, entry.deltas, calls);
  if (!turn.noTerminal) await terminal(line, turn, of, failed, [whole, ...calls], usage);
  line.res.end(turn.noDone ? '' : 'data: [DONE]\n\n');
}

async function terminal(line, turn, of, failed, output, usage) {
  if (failed) return line.event('response.failed', { response: { ...shell(of, 'failed'), error: failed } });
  const status = turn.incomplete ? 'incomplete' : 'completed';
  const response = shell(of, status, output, usage);
  if (turn.incomplete) response.incomplete_details = { reason: 'max_output_tokens' };
  const late = turn.lateUsage && { usage: response.usage };
  if (late) delete response.usage;
  await line.event(`response.${status}`, { response });
  return late && line.event('response.usage', late);
}

/** The deltas, and what befalls them. Returns what was said. */
async function speak(line, turn, item, entry, deltas) {
  let text = '';
  const fault = async () => {
    const at = (n) => n !== undefined && entry.deltas >= n;
    if (at(turn.dropAfter)) {
      await new Promise((resolve) => { line.res.write('', resolve); });
      line.drop();
    }
    if (at(turn.hangAfter)) await line.forever();
    if (at(turn.garbageAfter)) {
      await line.put(turn.garbage ?? 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":\n\n<html>502 Bad Gateway</html>\n\n');
      line.res.end();
      throw new Gone();
    }
    return turn.error && at(turn.failAfter);
  };
  if (turn.badUtf8) await line.put(Buffer.concat([Buffer.from('event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"caf'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}\n\n')]));
  if (await fault()) return text;
  for (const delta of settled(deltas)) {
    if (entry.deltas && !turn.flood) await line.wait(turn.delayMs);
    if (turn.noise) await line.put(`: nothing\n\nevent: response.noise\ndata: {"type":"response.noise",\ndata: "n":${entry.deltas}}\n\n`);
    await line.event('response.output_text.delta', { ...item, delta });
    text += delta;
    entry.deltas += 1;
    if (await fault()) break;
    if (turn.endless && !turn.delayMs) await new Promise(setImmediate);
  }
  return text;
}
