"""commands - up, down, kill, sweep, token, status, logs."""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from . import postgres
from .layout import ROOT, Layout, processes


def say(text):
    print(text, file=sys.stderr, flush=True)


def until(what, seconds, fn):
    """Waits for a condition; the time is a bound, not a guess."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.02)
    raise SystemExit(f"stack: {what} did not happen within {seconds} s")


def build(layout):
    if not (layout.build / "build.ninja").exists():
        say(f"building into {layout.build} ...")
        subprocess.run(["meson", "setup", str(layout.build), str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(layout.build), "--quiet"], check=True, stdout=sys.stderr)


def lifeosctl(layout, *args):
    return [layout.program("lifeosctl"), *args, "--keys", str(layout.keys), "--runtime", str(layout.run),
            "--config", str(layout.conf)]


def run_ctl(layout, *args, stdin=None):
    argv = lifeosctl(layout, *args)
    r = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if r.returncode:
        raise SystemExit(f"{' '.join(args)}: {r.stderr.strip()}")
    return r.stdout.strip()


def write_conf(layout, settings):
    values = {"frontend_instances": "2", "livekit_url": "wss://livekit.invalid",
              "rate_actor_per_minute": "6000000", "rate_address_per_minute": "6000000",
              "pg_conninfo": postgres.conninfo(layout.pg, "lifeos-writer")}
    for s in settings:
        name, _, value = s.partition("=")
        values[name.strip()] = value.strip()
    layout.conf.write_text("".join(f"{k} = {v}\n" for k, v in values.items()))


def trust_the_same_issuer(layout, other):
    """One user's token is good on both appliances; everything else is each one's own."""
    for daemon, name in (("issuer", "issuer-key"), ("frontend", "issuer-pub")):
        shutil.copyfile(other.keys / daemon / name, layout.keys / daemon / name)


def other_gateway():
    """(address, token, CA file) of an OpenClaw gateway somebody else runs. What a stack's own env file says is that
    stack's stand-in, and goes with it."""
    url = os.environ.get("LIFEOS_OPENCLAW_URL")
    if not url or url == os.environ.get("LIFEOS_OPENCLAW_CONTROL"):
        return None
    return url, os.environ.get("LIFEOS_OPENCLAW_TOKEN", ""), os.environ.get("LIFEOS_OPENCLAW_CA")


def prepare_openclaw(layout):
    """The credentials of the openclaw daemon, and whom it asks."""
    other = other_gateway()
    token = other[1] if other else secrets.token_urlsafe(24)
    run_ctl(layout, "openclaw", "set-token", stdin=f"{token}\n")
    if other and other[2]:
        run_ctl(layout, "openclaw", "set-ca", other[2])
    if "openclaw_url" in layout.conf.read_text():  # --set, and be it to none
        return token
    if other:
        with open(layout.conf, "a", encoding="ascii") as f:
            f.write(f"openclaw_url = {other[0]}\n")
    else:
        layout.standin.write_text(f"{token}\n")
        layout.standin.chmod(0o600)
    return token


def openclaw_env(ports, token):
    other = other_gateway()
    control = f"http://127.0.0.1:{ports['gateway']}" if "gateway" in ports else ""
    return {"LIFEOS_OPENCLAW_URL": control or (other[0] if other else ""), "LIFEOS_OPENCLAW_TOKEN": token,
            "LIFEOS_OPENCLAW_CONTROL": control}


def prepare(layout, args):
    for d in (layout.run / "frontend", layout.logs, layout.pids):
        d.mkdir(parents=True)
    layout.dir.chmod(0o711)
    write_conf(layout, args.set)
    key, secret = "API" + secrets.token_hex(6), secrets.token_urlsafe(36)
    run_ctl(layout, "keys", "init", str(layout.keys), "--current-user")
    run_ctl(layout, "livekit", "set-keys", stdin=f"{key} {secret}\n")
    token = prepare_openclaw(layout)
    if args.join:
        trust_the_same_issuer(layout, Layout(args.join))
    else:
        say("starting PostgreSQL ...")
        postgres.create(layout.pg)
        postgres.start(layout.pg)
        postgres.prepare(layout.pg)
    subprocess.run([layout.program("lifeos-migrate"), "--dir", str(ROOT / "migrations"), "--conninfo",
                    postgres.conninfo(layout.pg, "lifeos-migrate")], check=True, stdout=subprocess.DEVNULL)
    return key, secret, token


def own_network(args):
    """What runs a command in a network of its own, where nothing but its loopback exists."""
    if not args.netns:
        return []
    if os.geteuid() != 0:
        raise SystemExit("stack: --netns needs root")
    return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def ready(url, layout, args):
    if args.netns:
        pid = (layout.pids / "stack").read_text().strip()
        r = subprocess.run(["nsenter", "-t", pid, "-n", "curl", "-sf", "-m", "2", url + "/health/ready"], check=False,
                           stdout=subprocess.DEVNULL)
        return r.returncode == 0
    try:
        with urllib.request.urlopen(url + "/health/ready", timeout=2) as r:
            return r.status == 200
    except (urllib.error.URLError, OSError):
        return False


def up(args):
    layout = Layout(args.dir)
    if layout.env.exists() and layout.sockets.exists():
        print(layout.env)
        return 0
    if layout.dir.exists():
        down(args)
    build(layout)
    layout.dir.mkdir(parents=True)
    if args.join:
        layout.joined.symlink_to(Layout(args.join).pg)
        layout = Layout(args.dir)
    key, secret, gateway_token = prepare(layout, args)
    say("starting the daemons ...")
    with open(layout.logs / "stack", "ab") as log:
        subprocess.Popen([*own_network(args), sys.executable, str(ROOT / "tests" / "stack"), "supervise", "--dir",
                          str(layout.dir)],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                         env={**os.environ, "LIFEOS_STACK_PORT": str(args.port)})
    until("the sockets", 10, layout.sockets.exists)
    ports = json.loads(layout.sockets.read_text())
    url = f"http://127.0.0.1:{ports['http']}"
    until("readiness (see tests/stack logs)", 30, lambda: ready(url, layout, args))
    ingest = run_ctl(layout, "key", "create", "--scope", "ingest", "--account", "*", "--label", "stack")
    operator = run_ctl(layout, "key", "create", "--scope", "operator", "--account", "*", "--label", "stack")
    write_env(layout, {
        "LIFEOS_URL": url, "LIFEOS_METRICS_URL": f"http://127.0.0.1:{ports['metrics']}/metrics",
        "LIFEOS_LIVEKIT_API_KEY": key, "LIFEOS_LIVEKIT_API_SECRET": secret, "LIFEOS_INGEST_TOKEN": ingest,
        "LIFEOS_OPERATOR_TOKEN": operator, "LIFEOS_PG": postgres.conninfo(layout.pg, "lifeos-admin"),
        "LIFEOS_STACK_DIR": str(layout.dir), **openclaw_env(ports, gateway_token),
        **({"LIFEOS_NETNS_PID": str(read_pid(layout, "stack"))} if args.netns else {})})
    print(layout.env)
    return 0


def write_env(layout, values):
    tmp = layout.env.with_suffix(".tmp")
    tmp.write_text("".join(f"export {k}='{v}'\n" for k, v in values.items()))
    tmp.chmod(0o600)
    tmp.rename(layout.env)


def supervise(args):
    from .supervisor import Supervisor
    layout = Layout(args.dir)
    (layout.pids / "stack").write_text(f"{os.getpid()}\n")
    Supervisor(args.dir, int(os.environ.get("LIFEOS_STACK_PORT", "0"))).run()
    (layout.pids / "stack").unlink(missing_ok=True)
    return 0


def read_pid(layout, name):
    try:
        return int((layout.pids / name).read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def gone(pid):
    try:
        os.kill(pid, 0)
        return open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] == "Z"
    except (ProcessLookupError, OSError):
        return True


def down(args):
    layout = Layout(args.dir)
    pid = read_pid(layout, "stack")
    if pid and not gone(pid):
        os.kill(pid, signal.SIGTERM)
        until("the supervisor's end", 30, lambda: gone(pid))
    if not layout.joined.is_symlink():
        postgres.stop(layout.pg, "immediate")
    shutil.rmtree(layout.dir, ignore_errors=True)
    return 0


def kill(args):
    layout = Layout(args.dir)
    name = "frontend@1" if args.daemon == "frontend" else args.daemon
    pid = postgres.pid(layout.pg) if name == "postgres" else read_pid(layout, name)
    if pid is None:
        raise SystemExit(f"stack: no daemon '{args.daemon}' runs; there are: "
                         + ", ".join([*(p.name for p in processes(layout)), "postgres"]))
    os.kill(pid, signal.SIGKILL)
    until(f"{name}'s end", 10, lambda: gone(pid))
    return 0


def token(args):
    extra = [x for k in ("account", "role", "ttl") if getattr(args, k) for x in (f"--{k}", getattr(args, k))]
    print(run_ctl(Layout(args.dir), "token", "--user", args.user, "--quiet", *extra))
    return 0


def sweep(args):
    """What the timer does on an appliance: nothing sweeps a stack but this."""
    layout = Layout(args.dir)
    with open(layout.logs / "reconcile", "ab") as log:
        return subprocess.run([layout.program("lifeos-reconcile"), "--config", str(layout.conf), "--runtime", str(layout.run)],
                              env={**os.environ, "CREDENTIALS_DIRECTORY": str(layout.keys / "reconcile")}, stdout=log, stderr=log,
                              check=False).returncode


def ctl(args):
    return subprocess.run(lifeosctl(Layout(args.dir), *args.words), check=False).returncode


def status(args):
    layout = Layout(args.dir)
    for name in ["stack", *(p.name for p in processes(layout))]:
        pid = read_pid(layout, name)
        words = (layout.pids / name).read_text().split() if pid else []
        more = f", restarted {words[2]} times" if len(words) > 2 else ""
        print(f"{name:<12} {'pid ' + str(pid) + more if pid else 'not running'}")
    print(f"{'postgres':<12} pid {postgres.pid(layout.pg)}")
    return 0


def logs(args):
    layout = Layout(args.dir)
    for f in sorted(layout.logs.iterdir()):
        if args.daemon in (None, f.name):
            for line in f.read_text(errors="replace").splitlines():
                print(f"{f.name}: {line}")
    return 0
