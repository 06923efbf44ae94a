// ws.mjs - a WebSocket client over a plain socket: any header, any frame, every byte of the answer.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { url } from './client.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const PATIENCE = 20000;

/** One frame as a client sends it: masked, unless the test wants to do wrong. */
export function frame(opcode, payload, { fin = true, mask = true, rsv = 0 } = {}) {
  const data = Buffer.from(payload);
  const size = data.length > 65535 ? 8 : data.length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + size);
  head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;
  head[1] = (mask ? 0x80 : 0) | (size === 8 ? 127 : size === 2 ? 126 : data.length);
  if (size === 2) head.writeUInt16BE(data.length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(data.length), 2);
  if (!mask) return Buffer.concat([head, data]);
  const key = randomBytes(4);
  return Buffer.concat([head, key, Buffer.from(data.map((b, i) => b ^ key[i % 4]))]);
}

export class Socket {
  messages = [];
  pings = 0;
  closed = undefined; // { code, reason } of the server's close frame, or { code: 1006 }
  #bytes = Buffer.alloc(0);
  #waiting = new Set();
  #read = 0;

  /** Connects and upgrades; the promise is fulfilled with the response's status line whatever it is. */
  static open({ token, protocols, headers = {}, path = '/v1/realtime/ws', omit = [] } = {}) {
    const s = new Socket();
    const to = new URL(url);
    const key = randomBytes(16).toString('base64');
    const all = {
      host: to.host, upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': key,
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(protocols ? { 'sec-websocket-protocol': protocols.join(', ') } : {}), ...headers,
    };
    for (const name of omit) delete all[name];
    const secure = to.protocol === 'https:';
    s.socket = (secure ? tls : net).connect({ host: to.hostname, port: to.port || (secure ? 443 : 80), servername: to.hostname });
    s.socket.write(`GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
    s.socket.on('data', (d) => s.#take(d));
    s.socket.on('error', () => {});
    s.socket.on('close', () => { s.closed ??= { code: 1006, reason: '' }; s.ended = true; s.#wake(); });
    s.accept = createHash('sha1').update(key + GUID).digest('base64');
    return s.until(() => s.head !== undefined && (s.status === 101 || s.ended || s.body !== undefined)).then(() => s);
  }

  #take(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (this.head === undefined) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#bytes.subarray(0, end).toString();
      this.status = Number(this.head.split(' ')[1]);
      this.headers = Object.fromEntries(this.head.split('\r\n').slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    if (this.status === 101) while (this.#frame());
    else if (this.#bytes.length >= Number(this.headers['content-length'] ?? 0)) this.body = this.#bytes.toString();
    this.#wake();
  }

  #frame() {
    const b = this.#bytes;
    if (b.length < 2) return false;
    let n = b[1] & 127, head = 2;
    if (b[1] & 128) throw new Error('the server masked a frame');
    if (n === 126) { if (b.length < 4) return false; n = b.readUInt16BE(2); head = 4; }
    else if (n === 127) { if (b.length < 10) return false; n = Number(b.readBigUInt64BE(2)); head = 10; }
    if (b.length < head + n) return false;
    const payload = b.subarray(head, head + n);
    this.#bytes = b.subarray(head + n);
    if (b[0] === 0x81) { this.messages.push({ ...JSON.parse(payload.toString()), text: payload.toString() }); this.onmessage?.(this.messages.at(-1)); }
    else if (b[0] === 0x89) { this.pings++; if (!this.mute) this.socket.write(frame(10, payload)); }
    else if (b[0] === 0x88) {
      this.closed = { code: n ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
      this.socket.end(frame(8, payload.subarray(0, 2)));
    } else if (b[0] !== 0x8a) throw new Error(`the server sent opcode ${b[0]}`);
    return true;
  }

  #wake() { for (const w of [...this.#waiting]) w(); }

  until(condition) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.#waiting.delete(look); reject(new Error(`waited in vain for ${condition}; heard ${JSON.stringify(this.messages.slice(-5))}, closed ${JSON.stringify(this.closed)}`)); }, PATIENCE);
      const look = () => { if (condition()) { clearTimeout(timer); this.#waiting.delete(look); resolve(); } };
      this.#waiting.add(look);
      look();
    });
  }

  send(message) { this.socket.write(frame(1, typeof message === 'string' ? message : JSON.stringify(message))); }
  raw(bytes) { this.socket.write(bytes); }

  /** The next message, not asked for before, of this op. */
  async next(op) {
    const find = () => this.messages.findIndex((m, i) => i >= this.#read && m.op === op);
    await this.until(() => find() >= 0 || this.closed);
    const i = find();
    if (i < 0) throw new Error(`no ${op} before the close: ${JSON.stringify(this.closed)}`);
    this.#read = i + 1;
    return this.messages[i];
  }

  async end() { await this.until(() => this.closed); return this.closed; }
  events(sessionId) { return this.messages.filter((m) => m.op === 'event' && m.event.sessionId === sessionId).map((m) => m.event); }
  sequences(sessionId) { return this.events(sessionId).map((e) => e.sequence); }
  reached(sessionId, n) { return this.until(() => this.events(sessionId).at(-1)?.sequence >= n); }
  close() { this.socket.destroy(); }
}
