// storm_clients.mjs - clients light enough to have thousands: a raw socket each, told what to expect, never forgiving.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { url } from '../contract/client.mjs';

const { hostname, port } = new URL(url);

/** What every client of a session must have seen: the same event at the same place. */
export class Stream {
  constructor(id, token) {
    this.id = id;
    this.token = token;
    this.at = new Map(); // sequence: event id
  }

  saw(event) {
    if (!this.at.has(event.sequence)) this.at.set(event.sequence, event.eventId);
    return this.at.get(event.sequence) === event.eventId;
  }
}

/** Comes back whenever its connection ends, with a cursor for each of its streams; `wrong` says what it must not have seen. */
class Client {
  constructor(streams, random) {
    this.streams = new Map(streams.map((s) => [s.id, s]));
    this.cursors = new Map(streams.map((s) => [s.id, 0]));
    this.random = random;
    this.wrong = [];
    this.connections = 0;
    this.open();
  }

  open() {
    this.live = new Set();
    this.socket = connect({ host: hostname, port, noDelay: true });
    this.connections++;
    this.bytes = Buffer.alloc(0);
    this.answered = false;
    this.socket.on('connect', () => this.socket.write(this.request()));
    this.socket.on('data', (b) => this.data(b));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.closed());
  }

  closed() {
    this.live.clear();
    if (!this.stopped) this.again = setTimeout(() => this.open(), 20 + this.random() * 200);
  }

  /** As a lost network does it: nothing is said. */
  cut() { this.socket.destroy(); }

  stop() {
    this.stopped = true;
    clearTimeout(this.again);
    this.cut();
  }

  data(b) {
    this.bytes = this.bytes.length ? Buffer.concat([this.bytes, b]) : b;
    if (!this.answered) {
      const end = this.bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.bytes.toString('latin1', 0, end);
      this.bytes = this.bytes.subarray(end + 4);
      this.answered = true;
      this.welcome(Number(head.slice(9, 12)), head);
    }
    this.take();
  }

  /** Refused: busy or starting is to be asked again, anything else is wrong. */
  refused(status, head) {
    if (status !== 503 && status !== 429) this.wrong.push(`refused: ${head}`);
    this.cut();
  }

  event(e) {
    const cursor = this.cursors.get(e.sessionId);
    if (e.sequence !== cursor + 1) this.wrong.push(`${e.sessionId}: ${e.sequence} after ${cursor}`);
    else if (!this.streams.get(e.sessionId).saw(e)) this.wrong.push(`${e.sessionId}: another event at ${e.sequence}`);
    this.cursors.set(e.sessionId, e.sequence);
  }

  ready() { return this.live.size === this.streams.size; }

  reached(heads) { return [...this.cursors].every(([id, n]) => n >= heads.get(id)); }
}

/** text/event-stream in chunks, by the bytes. */
export class SseClient extends Client {
  constructor(stream, random) { super([stream], random); }

  request() {
    const [stream] = this.streams.values();
    this.text = '';
    return `GET /v1/realtime/sessions/${stream.id}/events HTTP/1.1\r\nHost: storm\r\nAccept: text/event-stream\r\n`
      + `Authorization: Bearer ${stream.token}\r\nLast-Event-ID: ${this.cursors.get(stream.id)}\r\n\r\n`;
  }

  welcome(status, head) {
    if (status !== 200) this.refused(status, head);
  }

  /** Whole chunks only; blocks of lines that end with an empty one. */
  take() {
    for (;;) {
      const line = this.bytes.indexOf('\r\n');
      if (line < 0) break;
      const n = parseInt(this.bytes.toString('latin1', 0, line), 16);
      if (this.bytes.length < line + 2 + n + 2) break;
      this.text += this.bytes.toString('utf8', line + 2, line + 2 + n);
      this.bytes = this.bytes.subarray(line + 2 + n + 2);
    }
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop();
    blocks.forEach((b) => this.block(b));
  }

  block(text) {
    const [stream] = this.streams.values();
    const field = (name) => text.split('\n').find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2);
    const named = field('event');
    if (named === 'ready') this.live.add(stream.id);
    else if (named === 'reset') this.wrong.push(`${stream.id}: ${text}`);
    else if (!named && field('data')) this.event(JSON.parse(field('data')));
  }
}

/** RFC 6455, text and control frames; several sessions on one socket. */
export class WsClient extends Client {
  request() {
    const [{ token }] = this.streams.values();
    return 'GET /v1/realtime/ws HTTP/1.1\r\nHost: storm\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
      + `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  }

  welcome(status, head) {
    if (status !== 101) this.refused(status, head);
    else for (const id of this.streams.keys()) this.subscribe(id);
  }

  subscribe(id) {
    this.send(1, JSON.stringify({ op: 'subscribe', sessionId: id, afterSequence: this.cursors.get(id) }));
  }

  /** Masked with zeros, which is as good as any other mask to us. */
  send(opcode, payload) {
    const body = Buffer.from(payload), n = body.length;
    const size = n < 126 ? [0x80 | n] : [0x80 | 126, n >> 8, n & 255];
    this.socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...size, 0, 0, 0, 0]), body]));
  }

  take() {
    for (;;) {
      if (this.bytes.length < 2) return;
      const short = this.bytes[1], head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.bytes.length < head) return;
      const n = short < 126 ? short : short === 126 ? this.bytes.readUInt16BE(2) : Number(this.bytes.readBigUInt64BE(2));
      if (this.bytes.length < head + n) return;
      const opcode = this.bytes[0] & 15, body = this.bytes.subarray(head, head + n);
      this.bytes = this.bytes.subarray(head + n);
      this.frame(opcode, body);
    }
  }

  frame(opcode, body) {
    if (opcode === 1) this.message(JSON.parse(body.toString('utf8')));
    else if (opcode === 9) this.send(10, body);
    else if (opcode === 8) this.cut();
  }

  message(m) {
    if (m.op === 'event') this.event(m.event);
    else if (m.op === 'subscribed') this.live.add(m.sessionId);
    else if (m.op === 'error' && m.retryable) setTimeout(() => this.socket.writable && this.subscribe(m.sessionId), 100);
    else if (m.op !== 'ready') this.wrong.push(JSON.stringify(m));
  }
}
