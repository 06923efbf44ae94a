"""postgres - a private cluster in the stack's folder: unix socket only, fsync on, its own superuser."""
import glob
import os
import pwd
import shutil
import subprocess

PORT = 5499
CONF = {"listen_addresses": "''", "fsync": "on", "synchronous_commit": "on", "max_connections": "100",
        "shared_buffers": "128MB", "deadlock_timeout": "100ms", "unix_socket_permissions": "0777",
        "logging_collector": "off", "max_wal_size": "4GB"}


def bindir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1]


def user():
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise SystemExit("no unprivileged user to run PostgreSQL as")


def as_user(argv):
    u = user()
    return argv if u is None else ["setpriv", f"--reuid={u.pw_uid}", f"--regid={u.pw_gid}", "--clear-groups", *argv]


def run(argv, **kw):
    return subprocess.run(as_user(argv), check=True, cwd="/", **kw)


def create(pg):
    """initdb into pg/data; the socket lives in pg."""
    pg.mkdir(parents=True, exist_ok=True)
    if user() is not None:
        shutil.chown(pg, user().pw_uid, user().pw_gid)
    run([f"{bindir()}/initdb", "-D", str(pg / "data"), "-U", "lifeos-admin", "--auth=trust", "--encoding=UTF8",
         "--locale=C.UTF-8"], stdout=subprocess.DEVNULL)
    with open(pg / "data" / "postgresql.conf", "a", encoding="ascii") as f:
        f.write(f"port = {PORT}\nunix_socket_directories = '{pg}'\n")
        f.writelines(f"{k} = {v}\n" for k, v in CONF.items())


def start(pg):
    run([f"{bindir()}/pg_ctl", "-D", str(pg / "data"), "-w", "-t", "60", "-l", str(pg / "log"), "start"],
        stdout=subprocess.DEVNULL)


def stop(pg, mode="fast"):
    if (pg / "data" / "postmaster.pid").exists():
        subprocess.run(as_user([f"{bindir()}/pg_ctl", "-D", str(pg / "data"), "-w", "-m", mode, "stop"]),
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def pid(pg):
    try:
        return int((pg / "data" / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def conninfo(pg, role, db="lifeos"):
    return f"host={pg} port={PORT} dbname={db} user={role}"


def psql(pg, role, sql, db="lifeos"):
    return subprocess.run([f"{bindir()}/psql", conninfo(pg, role, db), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At",
                           "-c", sql], check=True, capture_output=True, text=True).stdout.strip()


def prepare(pg):
    """The two roles and the database, as the package's postinst makes them."""
    psql(pg, "lifeos-admin", 'CREATE ROLE "lifeos-migrate" LOGIN', "postgres")
    psql(pg, "lifeos-admin", 'CREATE ROLE "lifeos-writer" LOGIN', "postgres")
    psql(pg, "lifeos-admin", 'CREATE DATABASE lifeos OWNER "lifeos-migrate"', "postgres")
