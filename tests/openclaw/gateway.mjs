// gateway - the real OpenClaw gateway with the configuration that the package documents, and a model of ours behind it.
//
//   node gateway.mjs DIR     runs until SIGTERM; DIR/env, a shell file, appears when the gateway takes turns
//
// Only the port, the paths and the model's address differ from packaging/openclaw. Its control address:
//   GET /            {"url","pid","running"}         POST /start     start it again after it was killed
//   POST /script     turns for the model             GET /requests   what the gateway asked the model
//   DELETE /requests forget both
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Model } from './model.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const shipped = path.join(here, '../../packaging/openclaw');
const modules = path.join(process.env.LIFEOS_OPENCLAW_CACHE ?? path.join(here, '../../build/openclaw'), 'node_modules');

/** A port nobody listens on now: the gateway cannot be given a socket, and takes port 0 for its default. */
async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

export class Gateway {
  constructor(dir, model) {
    Object.assign(this, { dir, model, token: randomBytes(24).toString('base64url'), state: path.join(dir, 'state') });
  }

  async prepare() {
    const config = JSON.parse(fs.readFileSync(path.join(shipped, 'openclaw.json'), 'utf8'));
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    config.gateway.port = this.port;
    config.models.providers.model.baseUrl = this.model.url;
    config.agents.defaults.workspace = path.join(this.dir, 'workspace');
    config.logging.file = path.join(this.dir, 'gateway.log');
    for (const d of [this.dir, this.state]) fs.mkdirSync(d, { recursive: true, mode: 0o700 });
    fs.cpSync(path.join(shipped, 'workspace'), config.agents.defaults.workspace, { recursive: true });
    fs.writeFileSync(path.join(this.dir, 'openclaw.json'), JSON.stringify(config), { mode: 0o600 });
    // Compiled code is kept from run to run: a start without it takes seconds longer.
    this.cache = path.join(modules, '.cache');
    fs.mkdirSync(this.cache, { recursive: true });
    return this;
  }

  start() {
    const log = fs.openSync(path.join(this.dir, 'gateway.err'), 'a');
    // Its standard output repeats every answer in the clear: nobody keeps it.
    this.child = spawn(process.execPath, [path.join(modules, 'openclaw/openclaw.mjs'), 'gateway', 'run'], {
      cwd: this.dir, stdio: ['ignore', 'ignore', log], env: {
        PATH: '/usr/bin:/bin', HOME: this.dir, TMPDIR: this.cache, OPENCLAW_STATE_DIR: this.state,
        OPENCLAW_CONFIG_PATH: path.join(this.dir, 'openclaw.json'), OPENCLAW_CONFIG_READONLY: '1',
        OPENCLAW_GATEWAY_TOKEN: this.token, MODEL_PROVIDER_KEY: this.model.key, OPENCLAW_DISABLE_BONJOUR: '1',
        OPENCLAW_NO_RESPAWN: '1', OPENCLAW_SKIP_CHANNELS: '1', OPENCLAW_OFFLINE: '1', OPENCLAW_NO_AUTO_UPDATE: '1',
        OPENCLAW_EXEC_SHELL_SNAPSHOT: '0', DO_NOT_TRACK: '1', NO_COLOR: '1' } });
    fs.closeSync(log);
    this.child.once('exit', (code, signal) => { this.ended = signal ?? code; });
    this.ended = undefined;
  }

  get running() { return this.ended === undefined; }

  /** Until it says that it is ready; `seconds` is a bound. */
  async ready(seconds = 120) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
      if (!this.running) throw new Error(`the gateway ended: ${this.ended}; ${fs.readFileSync(path.join(this.dir, 'gateway.err'), 'utf8').slice(-2000)}`);
      const ok = await fetch(`${this.url}/readyz`).then((r) => r.ok, () => false);
      if (ok) return this;
    }
    throw new Error(`the gateway was not ready within ${seconds} s`);
  }

  async stop() {
    if (!this.running) return;
    this.child.kill('SIGTERM');
    await Promise.race([once(this.child, 'exit'), sleep(15000, undefined, { ref: false })]);
    if (this.running) this.child.kill('SIGKILL');
  }
}

/** What the tests ask it over HTTP: they are other processes. */
function control(g) {
  const answers = {
    'GET /': () => ({ url: g.url, pid: g.child.pid, running: g.running }),
    'POST /start': () => { if (!g.running) g.start(); return {}; },
    'POST /script': (body) => { g.model.script(JSON.parse(body)); return {}; },
    'GET /requests': () => g.model.requests,
    'DELETE /requests': () => { g.model.forget(); return {}; },
  };
  return http.createServer(async (req, res) => {
    let body = '';
    for await (const part of req.setEncoding('utf8')) body += part;
    const answer = answers[`${req.method} ${req.url}`];
    res.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer?.(body) ?? {}));
  });
}

async function main(dir) {
  const g = await new Gateway(dir, await new Model(randomBytes(16).toString('hex')).listen()).prepare();
  const server = control(g).listen(0, '127.0.0.1');
  const leave = async () => {
    await g.stop();
    g.model.close();
    server.close();
    server.closeAllConnections();
  };
  process.once('SIGTERM', leave).once('SIGINT', leave);
  try {
    g.start();
    await g.ready();
  } catch (e) {
    console.error(e.message);
    process.exitCode = 1;
    return leave();
  }
  const env = { LIFEOS_OPENCLAW_URL: g.url, LIFEOS_OPENCLAW_TOKEN: g.token, LIFEOS_GATEWAY_CONTROL: `http://127.0.0.1:${server.address().port}`, LIFEOS_GATEWAY_DIR: dir };
  fs.writeFileSync(path.join(dir, 'env.tmp'), Object.entries(env).map(([k, v]) => `export ${k}='${v}'\n`).join(''), { mode: 0o600 });
  fs.renameSync(path.join(dir, 'env.tmp'), path.join(dir, 'env'));
  return undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(path.resolve(process.argv[2]));
