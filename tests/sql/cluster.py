"""cluster - a private PostgreSQL for one run: unix socket only, fsync on, gone afterwards."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIFEOS_BUILD", ROOT / "build"))
ADMIN = "lifeos-admin"


def bindir():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found else pathlib.Path(shutil.which("initdb")).parent


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
        self._run("pg_ctl", "-D", self.dir / "data", "-l", self.dir / "log", "-w", "-s", "start")

    def stop(self):
        self._run("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "-w", "-s", "stop")

    def crash(self):
        """kill -9 of the postmaster and all its children, then recovery."""
        first = int((self.dir / "data/postmaster.pid").read_text(encoding="utf8").split()[0])
        listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False)
        for pid in [first, *map(int, listing.stdout.split())]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        (self.dir / "data/postmaster.pid").unlink(missing_ok=True)
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
