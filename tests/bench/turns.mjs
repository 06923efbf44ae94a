#!/usr/bin/env node
// turns - what our way adds to the words of an AI turn: the same gateway asked directly and through us, in one run.
//
//   tests/bench/turns.mjs [--quick] [--deltas N] [--turns N] [--rounds N] [--out FILE]
//
// The gateway is a scripted one of this bench (a process of its own): each of its deltas carries the moment it was
// written, and whoever reads it says how long ago that was. One turn of many deltas, then many turns at once; each round
// asks directly, then through us. "adds" is ours less direct in the same round. The machine is shared with the load.
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const TOKEN = 'bench-gateway-token-0123456789';
const now = () => Number(process.hrtime.bigint() / 1000n); // microseconds; one clock for all processes

/* ---- the gateway ---- */

const block = (type, data) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

function answer(req, res, body) {
  const asked = /@@turn (\d+) (\d+)@@/.exec(body);
  const deltas = asked ? Number(asked[1]) : 1;
  const every = asked ? Number(asked[2]) : 0;
  const response = (status, output = []) => ({ response: { id: 'resp_bench', object: 'response', status, model: 'openclaw/recruiter', output,
    usage: { input_tokens: 100, output_tokens: deltas, total_tokens: 100 + deltas } } });
  let text = '';
  let sent = 0;
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  res.write(block('response.created', response('in_progress')) + block('response.in_progress', response('in_progress')));
  const one = () => {
    const delta = `${sent ? ' ' : ''}t${now()}.`;
    text += delta;
    sent += 1;
    res.write(block('response.output_text.delta', { item_id: 'msg_bench', output_index: 0, content_index: 0, delta }));
    if (sent < deltas) return;
    clearInterval(timer);
    const item = { type: 'message', id: 'msg_bench', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] };
    res.end(block('response.output_text.done', { item_id: 'msg_bench', output_index: 0, content_index: 0, text })
      + block('response.completed', response('completed', [item])) + 'data: [DONE]\n\n');
  };
  const timer = setInterval(one, every);
  res.on('close', () => clearInterval(timer));
}

function gateway() {
  const server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => (req.method === 'POST' ? answer(req, res, body) : res.end('{"ok":true}')));
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('disconnect', () => process.exit(0));
}

/* ---- asking ---- */

const agent = new http.Agent({ maxSockets: 1000 });

/* One turn: how long ago each stamp was written when it arrived, microseconds, and whether it ended well. */
function turn(url, headers, body) {
  return new Promise((resolve) => {
    const late = [];
    let rest = '';
    let good = false;
    const data = JSON.stringify(body);
    const req = http.request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data), ...headers } }, (res) => {
      res.setEncoding('utf8');
      res.on('data', (chunk) => {
        const at = now();
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop();
        for (const b of blocks) {
          const delta = /"delta":"([^"]*)"/.exec(b);
          if (delta) for (const m of delta[1].matchAll(/t(\d+)\./g)) late.push(at - Number(m[1]));
          good ||= /event: (response.completed|text.done)/.test(b);
        }
      });
      res.on('end', () => resolve({ late, good, code: res.statusCode }));
      res.on('error', () => resolve({ late, good: false, code: 0 }));
    });
    req.on('error', () => resolve({ late, good: false, code: 0 }));
    req.end(data);
  });
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] / 1000;

async function load(side, turns, deltas, every) {
  const began = now();
  const results = await Promise.all(Array.from({ length: turns }, (_, i) => side.ask(`@@turn ${deltas} ${every}@@ ${i}`)));
  const late = results.flatMap((r) => r.late).sort((a, b) => a - b);
  return { good: results.filter((r) => r.good).length, deltas: late.length, seconds: (now() - began) / 1e6,
    p50: at(late, 0.5), p99: at(late, 0.99), max: at(late, 1) };
}

/* ---- sides ---- */

function rss(pid) {
  const line = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line[1]) / 1024;
}

function pids(dir) {
  return fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p)).flatMap((p) => {
    try {
      const argv = fs.readFileSync(`/proc/${p}/cmdline`, 'utf8');
      const name = /lifeos-(openclaw|frontend)\0/.exec(argv);
      return name && argv.includes(dir) ? [{ pid: p, name: name[1] }] : [];
    } catch { return []; }
  });
}

function stack(port) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lifeos-bench-'));
  const set = (s) => ['--set', s];
  const command = path.join(here, '..', 'stack');
  execFileSync(command, ['up', '--dir', dir, ...set('openclaw_turns_max=512'), ...set('openclaw_waiting_max=1000'), ...set('rate_actor_per_minute=0'),
    ...set('session_tokens_max=0'), ...set('turn_seconds=120'), ...set('turn_first_seconds=60'), ...set('turn_gap_seconds=60')],
  { env: { ...process.env, LIFEOS_OPENCLAW_URL: `http://127.0.0.1:${port}`, LIFEOS_OPENCLAW_TOKEN: TOKEN }, stdio: ['ignore', 'ignore', 'inherit'] });
  const env = Object.fromEntries(fs.readFileSync(path.join(dir, 'env'), 'utf8').split('\n').map((l) => /^(?:export )?(\w+)='?([^']*)'?$/.exec(l)).filter(Boolean).map((m) => [m[1], m[2]]));
  const token = execFileSync(command, ['token', '--user', 'bench', '--dir', dir], { encoding: 'utf8' }).trim();
  return { dir, down: () => execFileSync(command, ['down', '--dir', dir], { stdio: 'ignore' }),
    ask: (text) => turn(`${env.LIFEOS_URL}/v1/chat/stream`, { authorization: `Bearer ${token}` }, { messages: [{ role: 'user', content: text }] }) };
}

/* ---- the run ---- */

const say = (s) => process.stderr.write(`${s}\n`);
const cell = (n) => n.toFixed(2).padStart(8);

async function main(argv) {
  const flag = (name, fallback) => (argv.includes(`--${name}`) ? Number(argv[argv.indexOf(`--${name}`) + 1]) : fallback);
  const quick = argv.includes('--quick');
  const deltas = flag('deltas', quick ? 100 : 2000);
  const many = flag('turns', quick ? 10 : 200);
  const rounds = flag('rounds', quick ? 1 : 3);
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--gateway'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const port = await new Promise((resolve) => { child.once('message', resolve); });
  const direct = { ask: (text) => turn(`http://127.0.0.1:${port}/v1/responses`, { authorization: `Bearer ${TOKEN}` },
    { model: 'openclaw/recruiter', stream: true, input: text }) };
  say('starting the stack ...');
  const ours = stack(port);
  const rows = [];
  try {
    await load(ours, 2, 10, 5);
    for (const [what, turns, n, every] of [[`one turn of ${deltas} deltas, 5 ms apart`, 1, deltas, 5], [`${many} turns at once of 50 deltas, 100 ms apart`, many, 50, 100]]) {
      for (let i = 1; i <= rounds; i += 1) {
        say(`${what}, round ${i} of ${rounds}`);
        const row = { what, direct: await load(direct, turns, n, every) };
        const before = pids(ours.dir).map((p) => ({ ...p, mb: rss(p.pid) }));
        row.ours = await load(ours, turns, n, every);
        row.grew = Object.fromEntries(before.map((p) => [`${p.name} ${p.pid}`, rss(p.pid) - p.mb]));
        rows.push(row);
      }
    }
  } finally {
    ours.down();
    child.disconnect();
  }
  say('\nmilliseconds from writing a delta to reading it' + ' '.repeat(12) + '|   direct p50      p99 |     ours p50      p99 | adds p50      p99 | turns that ended well');
  for (const r of rows)
    say(`${r.what.padEnd(58)} | ${cell(r.direct.p50)} ${cell(r.direct.p99)}     | ${cell(r.ours.p50)} ${cell(r.ours.p99)}     | ${cell(r.ours.p50 - r.direct.p50)} ${cell(r.ours.p99 - r.direct.p99)} | ${r.direct.good} ${r.ours.good}`);
  for (const r of rows)
    say(`memory grown, MiB, ${r.what}: ${Object.entries(r.grew).map(([k, v]) => `${k} ${v.toFixed(1)}`).join(', ')}`);
  if (argv.includes('--out')) fs.writeFileSync(argv[argv.indexOf('--out') + 1], JSON.stringify(rows, null, 1));
}

const argv = process.argv.slice(2);
if (argv.includes('--gateway')) gateway();
else if (argv.includes('--help') || argv.includes('-h')) say(fs.readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n').slice(1, 8).map((l) => l.slice(3)).join('\n'));
else await main(argv);
