// proxy.mjs - a line between a client and the appliance that can be cut, fall silent, or be away altogether.
import net from 'node:net';

export class Proxy {
  #pairs = new Set();
  #away = false;

  static async to(url) {
    const p = new Proxy();
    p.target = new URL(url);
    p.server = net.createServer((client) => p.#accept(client));
    await new Promise((resolve) => { p.server.listen(0, '127.0.0.1', resolve); });
    p.url = `http://127.0.0.1:${p.server.address().port}`;
    return p;
  }

  get connections() { return this.#pairs.size; }

  #accept(client) {
    if (this.#away) return void client.destroy();
    const server = net.connect(Number(this.target.port), this.target.hostname);
    const pair = { client, server, silent: false };
    this.#pairs.add(pair);
    for (const [from, to] of [[client, server], [server, client]]) {
      from.setNoDelay(true);
      // What arrives while the line is silent is lost with it, as on a network that is gone.
      from.on('data', (d) => { if (!pair.silent) to.write(d); });
      from.on('error', () => {});
      from.on('close', () => {
        if (pair.silent) return; // the other end is not told either
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
    return undefined;
  }

  /** Every connection breaks. */
  cut() {
    for (const { client, server } of this.#pairs) { client.destroy(); server.destroy(); }
    this.#pairs.clear();
  }

  /** Every connection stays, and nothing comes through it ever again; new ones work. */
  silence() { for (const pair of this.#pairs) pair.silent = true; }

  /** Nobody gets through, until back(). */
  away() { this.#away = true; this.cut(); }

  back() { this.#away = false; }

  close() {
    this.cut();
    this.server.close();
  }
}
