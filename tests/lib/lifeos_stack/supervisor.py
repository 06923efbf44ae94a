"""supervisor - what systemd does for the daemons: holds their sockets, starts them, starts them again."""
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time

from . import postgres
from .layout import Layout, processes

RESTART_DELAY = 0.1  # seconds, as RestartSec in the units


def bind_unix(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(str(path))
    s.listen(1024)
    return s


def bind_tcp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(4096)
    return s


def open_sockets(layout, port):
    """Every listening socket once; instances of frontend share the public ones."""
    shared = {"http": bind_tcp(port), "metrics": bind_tcp(0), "proxy": bind_unix(layout.run / "proxy.sock")}
    if layout.standin.exists():
        shared["gateway"] = bind_tcp(0)
    out = {}
    for p in processes(layout):
        own = {"peer": bind_unix(layout.peer_socket(p.daemon, p.instance))} if "peer" in p.sockets else {}
        out[p.name] = [(n, own.get(n) or shared[n]) for n in p.sockets]
    return shared, out


def spawn(layout, p, sockets):
    """fork and exec with the sockets as fds 3.., the way sd_listen_fds expects them."""
    argv = p.argv(layout)
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no orphan outlives the stack
        log = os.open(layout.logs / p.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        fds = [os.dup(s.fileno()) for _, s in sockets]
        high = [dup_high(f) for f in fds]
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        for i, f in enumerate(high):
            os.dup2(f, 3 + i)
        os.closerange(3 + len(high), 4096)
        env = {"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": str(layout.keys / p.daemon)}
        if high:
            env.update({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high)),
                        "LISTEN_FDNAMES": ":".join(n for n, _ in sockets)})
        env.update({k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))})
        os.execve(argv[0], argv, env)
    finally:
        os._exit(127)


def dup_high(fd):
    import fcntl
    return fcntl.fcntl(fd, fcntl.F_DUPFD, 200)


class Supervisor:
    def __init__(self, folder, port):
        self.layout = Layout(folder)
        self.shared, self.sockets = open_sockets(self.layout, port)
        self.procs = {p.name: p for p in processes(self.layout)}
        self.pid, self.due, self.restarts = {}, {}, {}
        self.stopping = False
        self.pg_due = None

    def announce(self):
        ports = {n: s.getsockname()[1] for n, s in self.shared.items() if s.family == socket.AF_INET}
        if "gateway" in ports:
            with open(self.layout.conf, "a", encoding="ascii") as f:
                f.write(f"openclaw_url = http://127.0.0.1:{ports['gateway']}\n")
        tmp = self.layout.sockets.with_suffix(".tmp")
        tmp.write_text(json.dumps(ports))
        tmp.rename(self.layout.sockets)

    def start(self, name):
        self.pid[name] = spawn(self.layout, self.procs[name], self.sockets[name])
        (self.layout.pids / name).write_text(f"{self.pid[name]} {time.time():.3f} {self.restarts.get(name, 0)}\n")

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, p in list(self.pid.items()):
                if p == pid:
                    self.ended(name, status)

    def ended(self, name, status):
        del self.pid[name]
        (self.layout.pids / name).unlink(missing_ok=True)
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
        with open(self.layout.logs / name, "a", encoding="utf8") as f:
            f.write(f"[stack] {name} ended: {how}\n")
        if not self.stopping and not self.procs[name].on_demand:
            self.restarts[name] = self.restarts.get(name, 0) + 1
            self.due[name] = time.monotonic() + RESTART_DELAY

    def tick(self):
        """One turn: reap, start what is due, start on-demand daemons whose socket has a caller, keep PostgreSQL."""
        self.reap()
        now = time.monotonic()
        for name in [n for n, t in self.due.items() if t <= now]:
            del self.due[name]
            self.start(name)
        waiting = [n for n, p in self.procs.items() if p.on_demand and n not in self.pid]
        fds = {self.sockets[n][0][1].fileno(): n for n in waiting}
        ready, _, _ = select.select(list(fds), [], [], 0.02)
        for fd in ready:
            self.start(fds[fd])
        if not self.layout.joined.is_symlink():
            self.keep_postgres(now)
        elif not self.layout.pg.exists():  # the stack that was joined is gone
            self.stop()

    def keep_postgres(self, now):
        pid = postgres.pid(self.layout.pg)
        alive = pid is not None and os.path.exists(f"/proc/{pid}")
        if alive:
            self.pg_due = None
        elif self.pg_due is None:
            self.pg_due = now + RESTART_DELAY
        elif self.pg_due <= now:
            (self.layout.pg / "data" / "postmaster.pid").unlink(missing_ok=True)
            try:
                postgres.start(self.layout.pg)
            except Exception as e:  # the next turn tries again; the log says why
                print("postgres did not start yet:", e, file=sys.stderr, flush=True)
            self.pg_due = None

    def stop(self, *_):
        self.stopping = True

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.announce()
        for name, p in self.procs.items():
            if not p.on_demand:
                self.start(name)
        while not self.stopping:
            self.tick()
        for pid in self.pid.values():
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 12
        while self.pid and time.monotonic() < deadline:
            self.reap()
            select.select([], [], [], 0.02)
        for pid in self.pid.values():
            os.kill(pid, signal.SIGKILL)
        if not self.layout.joined.is_symlink():
            postgres.stop(self.layout.pg)
