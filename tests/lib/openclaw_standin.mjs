#!/usr/bin/env node
// openclaw_standin - a gateway like OpenClaw's, without OpenClaw: POST /v1/responses as version 2026.9.6 answers it.
//
//   node openclaw_standin.mjs [--port N | --fd N] [--token T | --token-file FILE] [--agent NAME] [--cert FILE --key FILE]
//
// What it answers is scripted: by @@fake{"text":"Hello."}@@ in what the user said, by POST /__script (a turn or a list of
// them, one per request), else it says something short and sensible of its own (openclaw_words.mjs). What a script may
// say stands at the head of openclaw_answer.mjs. Loopback only. On top of those:
//
//   match     (POST /__script) this turn is for the next request that has this text in it; without it, for the next one
//             that is no test turn: those have neither instructions nor tools
//   repeat    (POST /__script) for so many requests
//   then      a turn: what a repetition of the same request gets
//
//   GET /__log      every request, oldest first: session, tools, words, how it ended; ?match=TEXT only those with it
//   GET /__state    {"requests","open","most","served","aborted","scripted"}
//   DELETE /__log, DELETE /__script   forget them
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createHash, timingSafeEqual } from 'node:crypto';
import { JSON_TYPE, answer, refuse } from './openclaw_answer.mjs';
import { BODY_MAX, check } from './openclaw_request.mjs';
import { marked, said } from './openclaw_words.mjs';

const LOG_MAX = 5000;

export class Standin {
  #script = [];
  #log = [];
  #count = { requests: 0, open: 0, most: 0, served: 0, aborted: 0 };
  #tails = new Map(); // session key -> the promise of its last request's end
  #attempts = new Map(); // hash of a request -> how often it came

  constructor({ token = '', agent = 'recruiter', tls } = {}) {
    Object.assign(this, { token, agent });
    const serve = (req, res) => this.#serve(req, res).catch((e) => (res.headersSent ? res.destroy() : refuse(res, 500, 'api_error', String(e))));
    this.server = tls ? https.createServer(tls, serve) : http.createServer(serve);
    this.server.keepAliveTimeout = 5000;
    this.server.requestTimeout = 0;
    this.started = Date.now();
  }

  /** where: {port}, or {fd} of a socket that listens already. */
  async listen(where = { port: 0 }) {
    await new Promise((resolve, reject) => {
      this.server.once('error', reject).listen({ ...where, host: where.fd === undefined ? '127.0.0.1' : undefined, backlog: 4096 }, resolve);
    });
    this.port = this.server.address().port;
    this.url = `http${this.server instanceof https.Server ? 's' : ''}://127.0.0.1:${this.port}`;
    return this;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  script(turns) { this.#script.push(...[turns].flat().map((t) => ({ ...t }))); }

  log(match = '') { return this.#log.filter((e) => !match || JSON.stringify(e).includes(match)); }

  async #serve(req, res) {
    const url = new URL(req.url, 'http://x');
    if (url.pathname.startsWith('/__')) return this.#control(req, res, url);
    const forwarded = Object.keys(req.headers).find((h) => h === 'forwarded' || h === 'x-real-ip' || h.startsWith('x-forwarded-'));
    if (forwarded) return refuse(res, 403, 'proxy_attribution_required', 'Proxy client attribution is required.');
    const health = /^\/(healthz?|startupz?|readyz?)$/.exec(url.pathname)?.[1];
    if (health) return this.#health(req, res, health);
    if (url.pathname !== '/v1/responses') return plain(res, 404, 'Not Found');
    if (req.method !== 'POST') return plain(res, 405, 'Method Not Allowed', { allow: 'POST' });
    if (!this.#knows(req.headers.authorization)) return refuse(res, 401, 'unauthorized', 'Unauthorized');
    const raw = await read(req);
    if (raw === undefined) return refuse(res, 413, 'invalid_request_error', 'Payload too large');
    return this.#respond(req, res, raw);
  }

  #knows(authorization = '') {
    const hash = (s) => createHash('sha256').update(s).digest();
    return timingSafeEqual(hash(authorization), hash(`Bearer ${this.token}`));
  }

  #health(req, res, what) {
    if (req.method !== 'GET' && req.method !== 'HEAD') return plain(res, 405, 'Method Not Allowed', { allow: 'GET, HEAD' });
    const body = what.startsWith('health') ? { ok: true, status: 'live' }
      : what.startsWith('ready') ? { ready: true, failing: [] }
        : { ok: true, status: 'started', version: '2026.9.6', uptimeMs: Date.now() - this.started };
    return json(res, 200, body);
  }

  async #control(req, res, url) {
    if (url.pathname === '/__script') {
      if (req.method === 'POST') this.script(JSON.parse(await read(req)));
      if (req.method === 'DELETE') this.#script = [];
      return json(res, 200, { scripted: this.#script.length });
    }
    if (url.pathname === '/__log') {
      if (req.method === 'DELETE') this.#log = [];
      return json(res, 200, this.log(url.searchParams.get('match') ?? ''));
    }
    if (url.pathname === '/__state') return json(res, 200, { ...this.#count, scripted: this.#script.length });
    return plain(res, 404, 'Not Found');
  }

  /** What this request is answered: scripted, marked in the user's words, or undefined. */
  #turn(request, raw) {
    const test = !request.body.instructions && !request.body.tools;
    const i = this.#script.findIndex((t) => (t.match ? raw.includes(t.match) : !test));
    if (i >= 0) {
      const turn = this.#script[i];
      turn.repeat = (turn.repeat ?? 1) - 1;
      if (turn.repeat <= 0) this.#script.splice(i, 1);
      return turn;
    }
    let turn = marked(request);
    if (!turn) return undefined;
    const key = createHash('sha256').update(raw).digest('base64');
    const before = this.#attempts.get(key) ?? 0;
    if (this.#attempts.size >= LOG_MAX) this.#attempts.clear();
    this.#attempts.set(key, before + 1);
    for (let n = before; n > 0 && turn.then; n -= 1) turn = turn.then;
    return turn;
  }

  async #respond(req, res, raw) {
    const request = check(raw, req.headers, this.agent);
    if (request.refusal) return refuse(res, ...request.refusal);
    const turn = this.#turn(request, raw);
    const entry = { n: this.#count.requests += 1, at: Date.now(), session: request.session, channel: req.headers['x-openclaw-message-channel'],
      model: request.body.model, stream: request.body.stream === true, tools: (request.body.tools ?? []).map((t) => t.name), toolChoice: request.body.tool_choice,
      said: said(request).slice(-2000), bytes: raw.length, body: raw.length < 65536 ? request.body : undefined, scripted: turn, deltas: 0, outcome: 'open' };
    this.#log.push(entry);
    if (this.#log.length > LOG_MAX) this.#log.shift();
    this.#count.open += 1;
    this.#count.most = Math.max(this.#count.most, this.#count.open);
    const ended = new Promise((resolve) => { res.once('close', resolve); });
    ended.then(() => {
      entry.ms = Date.now() - entry.at;
      entry.outcome = res.writableFinished ? 'served' : 'aborted';
      this.#count[entry.outcome] += 1;
      this.#count.open -= 1;
    });
    // One request of a session at a time, as the gateway has it.
    const before = this.#tails.get(request.session);
    const mine = Promise.resolve(before).then(() => ended);
    this.#tails.set(request.session, mine);
    mine.then(() => { if (this.#tails.get(request.session) === mine) this.#tails.delete(request.session); });
    await answer({ req, res, request, turn, entry, free: before });
  }
}

/** The whole body; undefined if it is more than the gateway takes. */
async function read(req) {
  const parts = [];
  let n = 0;
  for await (const p of req) {
    n += p.length;
    if (n > BODY_MAX) return undefined;
    parts.push(p);
  }
  return Buffer.concat(parts).toString('utf8');
}

function json(res, status, body) {
  res.writeHead(status, { 'content-type': JSON_TYPE }).end(JSON.stringify(body));
}

function plain(res, status, text, headers = {}) {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(text);
}

async function main(argv) {
  const option = (name, fallback) => (argv.includes(`--${name}`) ? argv[argv.indexOf(`--${name}`) + 1] : fallback);
  const tls = option('cert') && { cert: fs.readFileSync(option('cert')), key: fs.readFileSync(option('key')) };
  const token = option('token-file') ? fs.readFileSync(option('token-file'), 'utf8').trim() : option('token', '');
  const g = await new Standin({ token, agent: option('agent'), tls }).listen(option('fd') ? { fd: Number(option('fd')) } : { port: Number(option('port', 0)) });
  for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => g.close());
  process.stdout.write(`${g.url}\n`);
}

if (process.argv[1] && import.meta.url.endsWith(fs.realpathSync(process.argv[1]))) await main(process.argv.slice(2));
