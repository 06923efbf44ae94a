"""Tables of C and functions of SQL say the same."""
import re
import subprocess

from cluster import BUILD, ROOT


def statements():
    out = subprocess.run([str(BUILD / "tests/sql/opsql")], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^PREPARE (\w+)(\(.*;)$", out, re.M))


def test_prepare(c):
    """every op's statement prepares as the writer: names and types are those of its function"""
    ops = statements()
    assert len(ops) >= 15, ops
    for name, rest in ops.items():
        r = c.try_psql(f"PREPARE {name}{rest}", user="lifeos-writer")
        assert r.returncode == 0, f"{name}: {r.stderr}"


def test_no_more_arguments(c):
    """no function has an argument its op lacks, and what it returns is what the writer reads"""
    for name, rest in statements().items():
        ours = set(re.findall(r'"(\w+)" =>', rest))
        theirs = set(c.psql("SELECT unnest(p.proargnames[1:p.pronargs]) FROM pg_proc p WHERE p.pronamespace = "
                            f"'api'::regnamespace AND p.proname = '{name}'").split())
        assert ours == theirs, f"{name}: {sorted(ours ^ theirs)}"
    columns = {"api.reply": "status message body account_id session_id head", "api.event_row": "status sequence event",
               "api.node_count": "status nodes", "api.node_head": "status account_id session_id head",
               "api.event_out": "op row status account_id sequence deduped ts received recorded origin"}
    for type_name, wanted in columns.items():
        found = c.psql("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
                       f"'{type_name}'::regclass")
        assert found == wanted, f"{type_name}: {found}"


def test_event_json(c):
    """C and SQL spell a stored event the same, byte for byte, at the edges of time and text"""
    out = subprocess.run([str(BUILD / "tests/sql/eventjson")], capture_output=True, text=True, check=True).stdout
    lines = out.splitlines()
    assert len(lines) == 8, out
    for line in lines:
        arguments, wanted = line.split("\t")
        got = c.psql(f"SELECT api.event_json({arguments})", user="lifeos-writer")
        assert got == wanted, f"\nSQL: {got}\nC:   {wanted}"


def test_statuses(c):
    """every status a function returns or raises is a row of status.def"""
    rows = re.findall(r'^STATUS\((\w+),\s*\d+,\s*"(\w*)"', (ROOT / "common/status.def").read_text(encoding="utf8"), re.M)
    known, states = {n for n, _ in rows}, {s for _, s in rows if s}
    source = "\n".join(p.read_text(encoding="utf8") for p in sorted((ROOT / "migrations/api").glob("*.sql")))
    used = set(re.findall(r"refuse\('(\w+)'", source)) | set(re.findall(r"(?:THEN|ELSE) '([A-Z_]{2,})'", source))
    used |= set(re.findall(r"'((?:SESSION|LIVEKIT|EVENT|KEY|AUTH|ACCOUNT|IDEMPOTENCY|PROVIDER|INVALID)_[A-Z_]+)'", source))
    assert not used - known - {"REPEAT"}, used - known
    assert not set(re.findall(r"ERRCODE = '(LO\w+)'", source)) - states
    assert c is not None
