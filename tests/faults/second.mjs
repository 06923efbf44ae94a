// second.mjs - a second appliance on the first one's PostgreSQL: own daemons, keys and, for root, a network of its own.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const stack = new URL('../stack', import.meta.url).pathname;
const first = process.env.LIFEOS_STACK_DIR;
const root = process.getuid() === 0;

// PROXY v2, TCP over IPv4 from 127.0.0.1:1 to 127.0.0.1:1: unix sockets cross networks.
const HEADER = Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'), Buffer.from('7f0000017f00000100010001', 'hex')]);

/** A door into its network: its balancer's socket, reachable here under an address of this network. */
function door(path) {
  const server = createServer((from) => {
    const to = connect(path);
    to.write(HEADER);
    from.pipe(to).pipe(from);
    for (const [a, b] of [[from, to], [to, from]]) {
      a.on('error', () => b.destroy());
      a.on('close', () => b.destroy());
    }
  });
  return new Promise((done) => { server.listen(0, '127.0.0.1', () => done(server)); });
}

const figures = (text) => (name) => [...text.matchAll(new RegExp(`^lifeos_${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm'))]
  .reduce((sum, m) => sum + Number(m[1]), 0);

/** What an appliance counted, over all its daemons: a function of a metric's name without lifeos_. */
export const counted = async (metricsUrl, pid) => figures(pid
  ? execFileSync('nsenter', ['-t', pid, '-n', 'curl', '-sf', metricsUrl], { encoding: 'utf8' })
  : await (await fetch(metricsUrl)).text());

export async function second(...settings) {
  if (!root) console.log('NOT ROOT: both appliances share one network here');
  const dir = `${first}-second`;
  const set = settings.flatMap((s) => ['--set', s]);
  const run = (...args) => execFileSync(stack, [...args, '--dir', dir], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const file = run('up', '--join', first, ...(root ? ['--netns'] : []), ...set).trim();
  const env = Object.fromEntries([...readFileSync(file, 'utf8').matchAll(/^export (\w+)='(.*)'$/gm)].map(([, k, v]) => [k, v]));
  const server = await door(`${dir}/run/proxy.sock`);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    direct: env.LIFEOS_URL,
    kill: (daemon) => run('kill', daemon),
    figures: () => counted(env.LIFEOS_METRICS_URL, env.LIFEOS_NETNS_PID),
    end: () => { server.close(); run('down'); },
  };
}
