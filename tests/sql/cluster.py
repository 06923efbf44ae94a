"""cluster - a private PostgreSQL for one run: unix socket only, fsync on, gone afterwards."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIFEOS_BUILD", ROOT / "build"))
ADMIN = "lifeos-admin"


def bindir():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found else pathlib.Path(shutil.which("initdb")).parent


def state(pid):
    """The process's state letter; gone is as good as a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf8").rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return "Z"


class Cluster:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lifeos-sql-"))
        self.bin = bindir()
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
        self._run("initdb", "-D", self.dir / "data", "-A", "trust", "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8")
        with open(self.dir / "data/postgresql.conf", "a", encoding="utf8") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.dir}'\nfsync = on\n"
                       "synchronous_commit = on\nmax_connections = 40\ndeadlock_timeout = 100ms\nlog_min_messages = log\n")
        self.start()
        for role in ("lifeos-migrate", "lifeos-writer"):
            self.psql(f'CREATE ROLE "{role}" LOGIN', db="postgres")

    def _run(self, program, *args):
        cmd = [str(self.bin / program), *map(str, args)]
        if os.getuid() == 0:
            cmd = ["runuser", "-u", "postgres", "--", *cmd]
        subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self):
        try:
            self._run("pg_ctl", "-D", self.dir / "data", "-l", self.dir / "log", "-w", "-s", "start")
        except subprocess.CalledProcessError:
            print((self.dir / "log").read_text(encoding="utf8")[-2000:])
            raise

    def stop(self):
        self._run("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "-w", "-s", "stop")

    def crash(self):
        """kill -9 of the postmaster and all its children, then recovery."""
        first = int((self.dir / "data/postmaster.pid").read_text(encoding="utf8").split()[0])
        os.kill(first, signal.SIGSTOP)  # so that it has no children we do not know
        listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False)
        pids = [first, *map(int, listing.stdout.split())]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # Its shared memory is free only when the last of them is gone.
        while any(pathlib.Path(f"/proc/{pid}").exists() and "Z" not in state(pid) for pid in pids):
            time.sleep(0.01)
        # Where nobody reaps them, the dead still look alive to whoever reads their lock files.
        for lock in [self.dir / "data/postmaster.pid", *self.dir.glob(".s.PGSQL.*")]:
            lock.unlink(missing_ok=True)
        self.start()

    def drop(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir)

    def conninfo(self, user=ADMIN, db="lifeos"):
        return f"host={self.dir} dbname={db} user={user}"

    def try_psql(self, sql, user=ADMIN, db="lifeos"):
        return subprocess.run([str(self.bin / "psql"), self.conninfo(user, db), "-X", "-q", "-A", "-t", "-v",
                               "ON_ERROR_STOP=1", "-f", "-"], input=sql, capture_output=True, text=True, check=False)

    def psql(self, sql, user=ADMIN, db="lifeos"):
        r = self.try_psql(sql, user, db)
        if r.returncode != 0:
            raise AssertionError(r.stderr.strip())
        return r.stdout.strip()

    def create_db(self, name="lifeos", template=None):
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE);\n'
                  f'CREATE DATABASE "{name}" OWNER "lifeos-migrate"' + (f' TEMPLATE "{template}"' if template else ""),
                  db="postgres")

    def migrate(self, *args, db="lifeos", directory=None, program=None):
        return subprocess.run([str(program or BUILD / "daemons/migrate/lifeos-migrate"), "--conninfo",
                               self.conninfo("lifeos-migrate", db), "--dir", str(directory or ROOT / "migrations"), *args],
                              capture_output=True, text=True, check=False)
