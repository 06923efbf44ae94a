// database.mjs - the appliance from behind: what its database holds, and faults between its COMMIT and our hearing of it.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { until } from '../contract/client.mjs';

/** Rows of a query by the cluster's superuser, as arrays of text. */
export function sql(text) {
  const out = execFileSync('psql', [process.env.LIFEOS_PG, '-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-c', text],
    { encoding: 'utf8' });
  return out.split('\n').filter(Boolean).map((line) => line.split('\t'));
}

/** A transaction that did this and stays open until the function that is returned is called. */
export function holding(text) {
  const psql = spawn('psql', [process.env.LIFEOS_PG, '-Xq'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const closed = new Promise((done) => { psql.on('close', done); });
  psql.stdin.write(`BEGIN; ${text};\n`);
  return () => { psql.stdin.end(); return closed; };
}

/** kill -9 of these at one moment, as soon as all of them run. */
export async function strike(...names) {
  const dir = process.env.LIFEOS_STACK_DIR;
  const pidOf = (name) => {
    try {
      const pid = parseInt(readFileSync(name === 'postgres' ? `${dir}/pg/data/postmaster.pid` : `${dir}/pids/${name}`, 'utf8'), 10);
      return process.kill(pid, 0) && pid;
    } catch { return undefined; }
  };
  const pids = await until(`${names} to run`, () => {
    const all = names.map(pidOf);
    return all.every(Boolean) && all;
  }, 30);
  pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
}

const quote = (text) => `'${text.replaceAll("'", "''")}'`;
const waiting = (app) => sql(`SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = ${quote(app)}`);

function standby(name) {
  sql(name ? `ALTER SYSTEM SET synchronous_standby_names = ${quote(name)}` : 'ALTER SYSTEM RESET synchronous_standby_names');
  sql('SELECT pg_reload_conf()');
}

/**
 * Runs act() while every COMMIT waits for a standby that never comes, cuts the writer's connections that wait so, and
 * lets the others go: what act() asked for is committed, and the writer is never told. Returns what act() returns.
 * away: until then no connection can be made anew.
 */
export async function committedUnheard(act, { away = false } = {}) {
  const commit = () => new Promise((done) => {
    spawn('psql', [process.env.LIFEOS_PG, '-Xqc', "SELECT pg_logical_emit_message(true, 'probe', '')"],
      { env: { ...process.env, PGAPPNAME: 'probe' }, stdio: 'ignore' }).on('close', done);
  });
  let probe;
  standby('nobody');
  try {
    await until('COMMIT to wait', () => (probe ??= commit().then(() => { probe = undefined; }), waiting('probe').length));
    const answer = act();
    await until('the writer\'s COMMIT', () => waiting('lifeos-writer').length);
    if (away) sql('SET synchronous_commit = local; ALTER ROLE "lifeos-writer" NOLOGIN');
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'lifeos-writer'");
    standby();
    return await answer;
  } finally {
    standby();
    if (away) sql('ALTER ROLE "lifeos-writer" LOGIN');
    await probe;
  }
}

/** How many events of the session's chain hold, and where it breaks: [n, null]. */
export function verified(session) {
  const [[n, broken]] = sql(`SELECT v.verified, coalesce(v.broken_at::text, 'null') FROM lifeos.stream s,
    api.event_verify(s.account_id, s.stream_id) v WHERE s.stream_id = ${quote(session)}`);
  return [Number(n), JSON.parse(broken)];
}
