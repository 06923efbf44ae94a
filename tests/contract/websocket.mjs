// websocket.mjs - RFC 6455 in a page: frames, a client with the browser's interface, a server's side for fakes.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

export function frame(opcode, payload, masked) {
  const data = Buffer.from(payload);
  const head = [0x80 | opcode];
  if (data.length < 126) head.push(data.length);
  else if (data.length < 65536) head.push(126, data.length >> 8, data.length & 255);
  else head.push(127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((s) => (data.length >>> s) & 255));
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  head[1] |= 0x80;
  const key = randomBytes(4);
  for (let i = 0; i < data.length; i++) data[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from(head), key, data]);
}

/** One end of an upgraded connection: whole messages in and out. */
class End {
  #rest = Buffer.alloc(0);
  #parts = [];

  constructor(socket, masked, { text, closed }) {
    Object.assign(this, { socket, masked, text, closed, over: false });
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.#over(1006, ''));
    // A peer that only ends its side is gone as well.
    socket.on('end', () => socket.destroy());
  }

  /** `head`: what came with the upgrade already. */
  start(head) {
    if (head.length) this.#data(head);
    this.socket.on('data', (d) => this.#data(d));
    return this;
  }

  send(text) { this.socket.write(frame(1, text, this.masked)); }

  ping() { this.socket.write(frame(9, '', this.masked)); }

  close(code, reason = '') {
    this.socket.end(frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]), this.masked));
  }

  cut() { this.socket.destroy(); }

  #over(code, reason) {
    if (this.over) return;
    this.over = true;
    this.closed(code, reason);
  }

  #data(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const b = this.#rest;
      if (b.length < 2) return;
      let n = b[1] & 127, at = 2;
      if (n === 126) { if (b.length < 4) return; n = b.readUInt16BE(2); at = 4; }
      else if (n === 127) { if (b.length < 10) return; n = Number(b.readBigUInt64BE(2)); at = 10; }
      const key = b[1] & 128 ? b.subarray(at, at += 4) : null;
      if (b.length < at + n) return;
      const data = Buffer.from(b.subarray(at, at + n));
      if (key) for (let i = 0; i < n; i++) data[i] ^= key[i & 3];
      this.#rest = b.subarray(at + n);
      this.#frame(b[0], data);
    }
  }

  #frame(first, data) {
    const opcode = first & 15;
    if (opcode === 8) {
      if (!this.over) this.close(data.length >= 2 ? data.readUInt16BE(0) : 1000);
      return this.#over(data.length >= 2 ? data.readUInt16BE(0) : 1005, data.subarray(2).toString());
    }
    if (opcode === 9) return void this.socket.write(frame(10, data, this.masked));
    if (opcode === 10) return undefined;
    this.#parts.push(data);
    if (!(first & 0x80)) return undefined;
    const whole = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    return this.text(whole);
  }
}

/** The part of the browser's WebSocket that clients use; node 20 has none of its own. */
export class WebSocketClient {
  constructor(url, protocols = []) {
    this.readyState = 0;
    this.onopen = this.onmessage = this.onclose = this.onerror = null;
    const req = http.request(url.replace(/^ws/, 'http'), {
      headers: {
        connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64'),
        ...(protocols.length && { 'sec-websocket-protocol': protocols.join(', ') }),
      },
    });
    this.req = req;
    req.on('upgrade', (res, socket, head) => {
      this.protocol = res.headers['sec-websocket-protocol'];
      this.readyState = 1;
      this.end = new End(socket, true, { text: (data) => this.onmessage?.({ data }), closed: (code, reason) => this.#closed(code, reason) });
      this.onopen?.({});
      this.end.start(head);
    });
    req.on('response', (res) => { res.resume(); this.#closed(1006, ''); });
    req.on('error', () => this.#closed(1006, ''));
    req.end();
  }

  send(text) { this.end.send(text); }

  close(code = 1000) {
    if (this.readyState === 0) this.req.destroy();
    else if (this.readyState === 1) this.end?.close(code);
    this.readyState = Math.max(this.readyState, 2);
  }

  #closed(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** Answers an upgrade. */
export function accept(req, socket, head, protocol, events) {
  const key = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${key}\r\n`
    + `${protocol ? `sec-websocket-protocol: ${protocol}\r\n` : ''}\r\n`);
  return new End(socket, false, events).start(head);
}
