// chromium.mjs - Debian's chromium, driven over the DevTools protocol: a page, what it says, what is typed into it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './client.mjs';
import { WebSocketClient } from './websocket.mjs';

const PROGRAM = process.env.LIFEOS_CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no browser here; false: there is one. */
export const missing = () => (existsSync(PROGRAM) ? false : `${PROGRAM} is not installed; tests/lib/install installs it`);

export class Browser {
  #id = 0;
  #waiting = new Map();
  #pages = new Map();

  static async start(args = []) {
    const b = new Browser();
    b.home = await mkdtemp(join(tmpdir(), 'lifeos-chromium-'));
    // No sandbox of its own: the tests run as root in containers, and open nothing but the appliance's page.
    // It does not outlive whoever started it, however that ends.
    b.process = spawn('setpriv', [
      '--pdeathsig', 'KILL', PROGRAM, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-extensions', '--no-proxy-server', '--remote-debugging-port=0', `--user-data-dir=${b.home}`,
      ...args, 'about:blank',
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    b.process.stderr.setEncoding('utf8').on('data', (d) => { said += d; });
    b.gone = new Promise((resolve) => { b.process.on('exit', resolve); });
    const address = await until('the browser', () => {
      if (b.process.exitCode !== null) throw new Error(`chromium ended with ${b.process.exitCode}: ${said.slice(-2000)}`);
      return /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    }, 60);
    b.socket = new WebSocketClient(address);
    await new Promise((resolve, reject) => { b.socket.onopen = resolve; b.socket.onclose = () => reject(new Error('chromium takes no connection')); });
    b.socket.onmessage = (m) => b.#message(JSON.parse(m.data));
    b.socket.onclose = () => { for (const w of b.#waiting.values()) w.reject(new Error('chromium has gone')); };
    return b;
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#id;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => { this.#waiting.set(id, { resolve, reject, method }); });
  }

  #message(m) {
    const w = this.#waiting.get(m.id);
    this.#waiting.delete(m.id);
    if (w && m.error) w.reject(new Error(`${w.method}: ${m.error.message}`));
    else if (w) w.resolve(m.result);
    else this.#pages.get(m.sessionId)?.told(m.method, m.params);
  }

  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId);
    this.#pages.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
    await page.send('Page.navigate', { url });
    return page;
  }

  async close() {
    this.process.kill('SIGTERM');
    await this.gone;
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  /** Uncaught errors, and what the browser itself complains of: policies that were violated, scripts that are missing. */
  faults = [];
  requests = []; // addresses

  constructor(browser, id) { Object.assign(this, { browser, id }); }

  send(method, params) { return this.browser.send(method, params, this.id); }

  told(method, p) {
    if (method === 'Runtime.exceptionThrown') this.faults.push(p.exceptionDetails.exception?.description ?? p.exceptionDetails.text);
    if (method === 'Log.entryAdded' && p.entry.level === 'error' && p.entry.source !== 'network') this.faults.push(p.entry.text);
    if (method === 'Network.requestWillBeSent') this.requests.push(p.request.url);
    if (method === 'Network.webSocketCreated') this.requests.push(p.url);
  }

  /** The value of an expression in the page. */
  async get(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  until(what, expression, seconds = 30) { return until(what, () => this.get(expression).catch(() => undefined), seconds); }

  async type(selector, text) {
    await this.until(`${selector} to be there`, `document.querySelector(${JSON.stringify(selector)})?.focus(), document.activeElement?.matches(${JSON.stringify(selector)})`);
    await this.send('Input.insertText', { text });
  }

  async press(key, code) {
    for (const type of ['keyDown', 'keyUp'])
      await this.send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: code, ...(type === 'keyDown' && key === 'Enter' && { text: '\r' }) });
  }
}
