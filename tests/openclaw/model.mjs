// model - what stands for the model's provider behind the real gateway: the OpenAI Responses API, streamed, scripted.
//
// A turn is in the newest words of the user, @@fake{"text":"Hello."}@@, or was handed to script(); else it says and calls
// what the tests' stand-in for the gateway would. Members, all optional:
//   text | deltas     what is said                      tools          [{"name","args"|"rawArgs"}] functions called
//   delayMs           between deltas                    firstMs        before anything
//   hangAfter: n      nothing more after n deltas       dropAfter: n   the connection breaks after n deltas
//   status, body      an error instead                  incomplete     cut at the token limit
//   usage             {"input","output"}                match          (script) only for a request with this text
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { compose, marked, said, words } from '../lib/openclaw_words.mjs';

export class Model {
  #script = [];
  requests = []; // {n, said, tools, body, outcome: open|served|aborted, ms}

  constructor(key) {
    this.key = key;
    this.server = http.createServer((req, res) => this.#serve(req, res).catch(() => res.destroy()));
  }

  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  script(turns) { this.#script.push(...[turns].flat()); }

  forget() { this.#script = []; this.requests = []; }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  #turn(body, raw) {
    const i = this.#script.findIndex((t) => !t.match || raw.includes(t.match));
    if (i >= 0) return this.#script.splice(i, 1)[0];
    const turn = marked({ body: meant(body) });
    if (turn) return turn;
    // The gateway does not pass tool_choice on, but tells the model in words: one function to deliver with is meant.
    const deliver = body.tools?.length === 1 && body.tools[0].name.startsWith('deliver_');
    return compose({ body: { ...body, tool_choice: deliver ? 'required' : 'auto' } });
  }

  async #serve(req, res) {
    let raw = '';
    for await (const part of req.setEncoding('utf8')) raw += part;
    if (req.headers.authorization !== `Bearer ${this.key}`) return refuse(res, 401, { error: { message: 'Incorrect API key provided', code: 'invalid_api_key' } });
    if (req.method !== 'POST' || req.url !== '/v1/responses') return refuse(res, 404, { error: { message: `nothing at ${req.url}` } });
    const body = JSON.parse(raw);
    const turn = this.#turn(body, raw);
    const entry = { n: this.requests.length + 1, at: Date.now(), said: said({ body }), tools: (body.tools ?? []).map((t) => t.name), body, outcome: 'open' };
    this.requests.push(entry);
    res.once('close', () => {
      entry.ms = Date.now() - entry.at;
      entry.outcome = res.writableFinished ? 'served' : 'aborted';
    });
    if (turn.firstMs) await sleep(turn.firstMs);
    if (turn.status) return refuse(res, turn.status, turn.body ?? { error: { message: `scripted ${turn.status}`, type: 'server_error' } });
    return stream(res, body, turn);
  }
}

/** Without the words of the gateway itself, which asks once more when the model said nothing. */
function meant(body) {
  return { input: body.input.filter((i) => i.role !== 'user' || !JSON.stringify(i).includes('The previous attempt did not produce')) };
}

function refuse(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function stream(res, body, turn) {
  const deltas = turn.deltas ?? words(turn.text ?? '');
  const calls = (turn.tools ?? []).map((t) => ({ id: `fc_${randomUUID()}`, type: 'function_call', call_id: `call_${randomUUID()}`, name: t.name,
    arguments: t.rawArgs ?? JSON.stringify(t.args ?? {}), status: 'completed' }));
  const text = deltas.join('');
  const item = text && { id: `msg_${randomUUID()}`, type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] };
  const usage = { input_tokens: turn.usage?.input ?? Math.ceil(JSON.stringify(body).length / 4), output_tokens: turn.usage?.output ?? Math.max(1, deltas.length) };
  const response = (status, output) => ({ id: `resp_${randomUUID()}`, object: 'response', created_at: Math.floor(Date.now() / 1000), model: body.model, status, output,
    ...(status === 'incomplete' ? { incomplete_details: { reason: 'max_output_tokens' } } : {}), usage: { ...usage, total_tokens: usage.input_tokens + usage.output_tokens } });
  let sequence_number = 0;
  const send = (type, data) => res.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence_number++, ...data })}\n\n`);
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  send('response.created', { response: response('in_progress', []) });
  if (item || turn.hangAfter !== undefined || turn.dropAfter !== undefined) await speak(res, send, item, deltas, turn);
  for (const [i, call] of calls.entries()) {
    const at = { item_id: call.id, output_index: i + (item ? 1 : 0) };
    send('response.output_item.added', { output_index: at.output_index, item: { ...call, arguments: '', status: 'in_progress' } });
    send('response.function_call_arguments.delta', { ...at, delta: call.arguments });
    send('response.function_call_arguments.done', { ...at, arguments: call.arguments });
    send('response.output_item.done', { output_index: at.output_index, item: call });
  }
  const status = turn.incomplete ? 'incomplete' : 'completed';
  send(`response.${status}`, { response: response(status, [...(item ? [item] : []), ...calls]) });
  res.end();
}

async function speak(res, send, item, deltas, turn) {
  const at = { item_id: item?.id, output_index: 0, content_index: 0 };
  if (item) {
    send('response.output_item.added', { output_index: 0, item: { ...item, status: 'in_progress', content: [] } });
    send('response.content_part.added', { ...at, part: { type: 'output_text', text: '', annotations: [] } });
  }
  for (let n = 0; ; n += 1) {
    if (turn.dropAfter === n) {
      await new Promise((resolve) => { res.write('', resolve); });
      res.socket?.destroy();
    }
    if (turn.hangAfter === n) await once(res, 'close');
    if (res.destroyed) throw new Error('gone');
    if (n === deltas.length) break;
    send('response.output_text.delta', { ...at, delta: deltas[n] });
    if (turn.delayMs) await sleep(turn.delayMs);
  }
  send('response.output_text.done', { ...at, text: item.content[0].text });
  send('response.content_part.done', { ...at, part: item.content[0] });
  send('response.output_item.done', { output_index: 0, item });
}
