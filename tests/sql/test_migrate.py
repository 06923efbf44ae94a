"""lifeos-migrate: forwards only, one at a time, and never past a file that was changed."""
import pathlib
import re
import shutil
import subprocess
import tempfile

from cluster import BUILD, ROOT


class Copy:
    """A copy of the migrations to tamper with, and a lifeos-migrate that was built for it."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lifeos-migrations-"))
        shutil.copytree(ROOT / "migrations", self.dir, dirs_exist_ok=True)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def program(self):
        """The same program with this copy's hash in place of its own: as if it had been built from the copy."""
        wanted = self.hash(self.dir)
        binary = (BUILD / "daemons/migrate/lifeos-migrate").read_bytes()
        built = re.search(rb"schema ([0-9a-f]{64})", binary).group(1)
        path = self.dir / "lifeos-migrate"
        path.write_bytes(binary.replace(built, wanted.encode()))
        path.chmod(0o755)
        return path

    @staticmethod
    def hash(directory):
        return subprocess.run(["sh", str(directory / "hash.sh")], capture_output=True, text=True, check=True).stdout.strip()


def said(result, code, words):
    text = result.stdout + result.stderr
    assert result.returncode == code and words in text, f"exit {result.returncode}: {text}"


def test_fresh(c):
    """an empty database is brought to the schema; again changes nothing; --check changes nothing"""
    c.create_db("fresh")
    said(c.migrate("--check", db="fresh"), 2, "empty")
    assert c.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'lifeos'", db="fresh") == "0"
    said(c.migrate(db="fresh"), 0, "applying tables/0001_spine.sql")
    said(c.migrate("--check", db="fresh"), 0, "in place")
    again = c.migrate(db="fresh")
    said(again, 0, "in place")
    assert "applying" not in again.stdout, again.stdout
    assert c.psql("SELECT api.schema_hash()", user="lifeos-writer", db="fresh") == Copy.hash(ROOT / "migrations")


def test_wrong_files(c):
    """files that the program was not built with are refused"""
    with Copy() as m:
        (m.dir / "api/upkeep.sql").write_text("SELECT 1;\n", encoding="utf8")
        said(c.migrate(directory=m.dir), 1, "not those this program was built with")


def test_edited_file(c):
    """a table file that was changed after it was applied is refused and named"""
    with Copy() as m:
        with open(m.dir / "tables/0003_keys.sql", "a", encoding="utf8") as f:
            f.write("-- a later thought\n")
        said(c.migrate(directory=m.dir, program=m.program()), 1, "tables/0003_keys.sql was changed after it was applied")


def test_backwards(c):
    """a database that is newer than the program is left alone"""
    c.create_db("newer", template="lifeos")
    c.psql("INSERT INTO lifeos.schema_migration VALUES ('tables/9999_future.sql', 'x', 0)", db="newer")
    said(c.migrate(db="newer"), 1, "newer than this program: it has tables/9999_future.sql")


def test_late_number(c):
    """a new table file with a number below an applied one is refused"""
    with Copy() as m:
        (m.dir / "tables/0002_a_late.sql").write_text("CREATE TABLE lifeos.late (i integer);\n", encoding="utf8")
        said(c.migrate(directory=m.dir, program=m.program()), 1, "give it a higher number")


def test_new_file(c):
    """new files are applied, changed functions are made anew, and what was stored stays"""
    c.create_db("grown", template="lifeos")
    c.psql("SELECT t.create('s1')", db="grown")
    with Copy() as m:
        (m.dir / "tables/9000_more.sql").write_text("CREATE TABLE lifeos.more (i integer);\n", encoding="utf8")
        with open(m.dir / "api/upkeep.sql", "a", encoding="utf8") as f:
            f.write("CREATE FUNCTION api.more() RETURNS integer LANGUAGE sql SECURITY DEFINER "
                    "SET search_path = pg_catalog, pg_temp AS $$ SELECT 1 $$;\n")
        program = m.program()
        said(c.migrate("--check", directory=m.dir, program=program, db="grown"), 2, "to apply: tables/9000_more.sql")
        said(c.migrate(directory=m.dir, program=program, db="grown"), 0, "applying tables/9000_more.sql")
        assert c.psql("SELECT api.more()", user="lifeos-writer", db="grown") == "1"
        assert c.try_psql("SELECT * FROM lifeos.more", user="lifeos-writer", db="grown").returncode != 0
    assert c.psql("SELECT count(*) FROM lifeos.event", db="grown") == "1"


def test_realtime(c):
    """calls that go on while 0005 comes: their clients have their whole time to come back, and no silence is held against them"""
    c.create_db("live")
    with Copy() as m:
        for path in [*m.dir.glob("tables/*.sql"), *m.dir.glob("api/*.sql")]:
            if path.name >= "0005" if path.parent.name == "tables" else path.name != "00_base.sql":
                path.unlink()
        said(c.migrate(directory=m.dir, program=m.program(), db="live"), 0, "applying tables/0004")
    c.psql("""INSERT INTO lifeos.account VALUES ('acc', 'active', '{}', 1, 1);
        INSERT INTO lifeos.stream (account_id, stream_id, kind, user_id)
        SELECT 'acc', s, 'session', 'u1' FROM unnest('{created,active,ended}'::text[]) s;
        INSERT INTO lifeos.call_session (account_id, session_id, user_id, status, transport_state, correlation_id, create_hash,
            id_salt, resume_salt, resume_hash, reconnect_window_ms, resume_valid_until, provider, metadata, created_at,
            updated_at, started_at)
        SELECT 'acc', s.stream_id, 'u1', s.stream_id, 'healthy', 'c', '', '\\x01', '\\x02', sha256('resume_x'), 120000,
            CASE WHEN s.stream_id <> 'ended' THEN t.at + 120000000 END, 'none', '{}', t.at, t.at,
            CASE WHEN s.stream_id = 'active' THEN t.at END
        FROM lifeos.stream s, (SELECT (extract(epoch FROM now()) * 1000000)::bigint - 3000000000 AS at) t""", db="live")
    said(c.migrate(db="live"), 0, "applying tables/0005_realtime.sql")
    assert c.psql("SELECT (body ->> 'due') FROM api.sweep_due(10)", db="live").count("sessionId") == 2
    assert c.psql("""SELECT string_agg(session_id || ':' || (api.session_sweep('acc', session_id, 3600000, 900000, 14400000, 5, 2000,
                  30000)).body, ' ' ORDER BY session_id) FROM lifeos.call_session""", db="live").count("kept") == 3
    for session, live in {"created": "true", "active": "true", "ended": "false"}.items():
        assert c.psql(f"""SELECT status, body ->> 'live' FROM api.session_reconnect('acc', 'u1', 'owner', 'c{session}', '{session}',
                      'resume_x', NULL, NULL, '\\x01')""", db="live") == f"OK|{live}", session


def test_failing_file(c):
    """a file that fails leaves nothing of itself behind, and the next run goes on there"""
    c.create_db("failing", template="lifeos")
    with Copy() as m:
        bad = m.dir / "tables/9000_bad.sql"
        bad.write_text("CREATE TABLE lifeos.half (i integer);\nSELECT 1 / 0;\n", encoding="utf8")
        said(c.migrate(directory=m.dir, program=m.program(), db="failing"), 1, "tables/9000_bad.sql")
        assert c.psql("SELECT to_regclass('lifeos.half') IS NULL", db="failing") == "t"
        bad.write_text("CREATE TABLE lifeos.half (i integer);\n", encoding="utf8")
        said(c.migrate(directory=m.dir, program=m.program(), db="failing"), 0, "in place")


def test_two_at_once(c):
    """two migrations at once take turns, and both succeed"""
    c.create_db("twice")
    cmd = [str(BUILD / "daemons/migrate/lifeos-migrate"), "--conninfo", c.conninfo("lifeos-migrate", "twice"), "--dir",
           str(ROOT / "migrations")]
    both = [subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    out = [p.communicate(timeout=60)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], out
    assert sum("applying tables/0001_spine.sql" in o for o in out) == 1, out
