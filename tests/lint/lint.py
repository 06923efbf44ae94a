"""lint - every rule of the house that a script can hold, as a named check; drift between tables and texts fails."""
import hashlib
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIFEOS_BUILD", ROOT / "build"))
checks = []


def check(promise):
    def add(fn):
        checks.append((promise, fn))
        return fn
    return add


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / f for f in out if f and (ROOT / f).is_file()]


def sources():
    return tracked("common/*.c", "common/*.h", "daemons/*.c", "daemons/*.h", "docs/gen/*.c")


def text(path):
    return pathlib.Path(path).read_text(encoding="utf8")


def rel(path):
    return str(pathlib.Path(path).relative_to(ROOT))


def ops():
    rows = re.findall(r"^OP\((\w+), (\w+), (\w+), (\w+), (\w+),", text(ROOT / "common/ops.def"), re.M)
    return {name: {"from": a, "to": b, "mode": m, "reply": r} for name, a, b, m, r in rows}


def api_sql():
    return "\n".join(text(f) for f in tracked("migrations/api/*.sql"))


@check("every op the database answers has one function api.<op>")
def ops_have_functions():
    have = re.findall(r"CREATE (?:OR REPLACE )?FUNCTION api\.(\w+)", api_sql(), re.I)
    for name, op in ops().items():
        if op["mode"] in ("READ", "WRITE", "BATCH", "LISTEN") and have.count(name) != 1:
            yield f"api.{name}: found {have.count(name)} times"


@check("every api function pins its search_path, runs as its owner, and builds no SQL from input")
def functions_are_safe():
    for f in tracked("migrations/api/*.sql"):
        for body in re.split(r"(?im)^CREATE (?:OR REPLACE )?FUNCTION ", text(f))[1:]:
            head = re.split(r"\$\w*\$", body)[0]
            name = body.split("(")[0]
            if name.startswith("api.") and not re.search(r"SECURITY DEFINER", head, re.I):
                yield f"{rel(f)}: {name} is not SECURITY DEFINER"
            # What is inlined into its caller runs under the caller's path, and cannot have one of its own.
            inlined = name.startswith("lib.") and re.search(r"LANGUAGE sql", head, re.I)
            if not inlined and not re.search(r"SET search_path", head, re.I):
                yield f"{rel(f)}: {name} does not pin search_path"
        for bad in (r"(?m)^\s*EXECUTE\s+(?!ON\b)", r"(?m)^\s*EXCEPTION\s*$", r"\bWHEN OTHERS\b"):
            if re.search(bad, text(f)):
                yield f"{rel(f)}: {bad} does not belong in an api function"


@check("every route's op exists, and every client op has a route or a caller")
def routes_have_ops():
    known = ops()
    for op in re.findall(r"^ROUTE\([^\n]*,\s*(\w+),\s*\"[^\"]*\"\)\s*$", text(ROOT / "daemons/frontend/routes.def"), re.M):
        if op != "NONE" and op not in known:
            yield f"{op} is in routes.def, not in ops.def"
    code = "\n".join(text(f) for f in tracked("daemons/*.c", "daemons/*.def", "common/*.c"))
    for name, op in known.items():
        if not re.search(rf"\bOP_{name}\b|\b{name}\b", code):
            yield f"{name}: nobody sends it"


@check("every status is used")
def statuses_used():
    code = "\n".join(text(f) for f in sources()) + api_sql()
    for name in re.findall(r"^STATUS\((\w+)", text(ROOT / "common/status.def"), re.M):
        if not re.search(rf"\bSTATUS_{name}\b|'{name}'|\b{name}\b", code):
            yield name


@check("every setting and every statistic is read or written somewhere")
def settings_and_stats_used():
    code = "\n".join(text(f) for f in sources())
    for name in re.findall(r"^(?:INTEGER|TEXT)\s*\((\w+)", text(ROOT / "common/settings.def"), re.M):
        if f"SETTING_{name}" not in code:
            yield f"setting {name}"
    for name in re.findall(r"^(?:COUNTER|GAUGE|HISTOGRAM|COUNTER_BY)\s*\((\w+)", text(ROOT / "common/stats.def"), re.M):
        if f"STAT_{name}" not in code:
            yield f"statistic {name}"


def policy(f):
    """The rows of a policy, those it includes among them: (kind, call, the rest)."""
    for line in text(f).splitlines():
        m = re.match(r'#include "(\w+\.def)"', line)
        if m:
            yield from policy(f.parent / m.group(1))
        m = re.match(r"\s*(ALLOW|ALLOW_IF|DENY)\s*\((\w+),(.*)\)\s*$", line)
        if m:
            yield m.groups()


@check("one policy row per system call, each with a reason")
def policy_rows():
    for f in tracked("policy/*.def"):
        if f.name == "daemons.def":
            continue
        seen = {}
        for kind, call, rest in policy(f):
            if not re.search(r'"[^"]{5,}"', rest):
                yield f"{rel(f)}: {call} gives no reason"
            if seen.get(call) and not kind == seen[call] == "ALLOW_IF":
                yield f"{rel(f)}: {call} has two rows that are not alternatives"
            seen[call] = kind


@check("the frontend can neither open nor dial anything")
def frontend_walls():
    rows = list(policy(ROOT / "policy/frontend.def"))
    if len(rows) < 20:
        yield f"only {len(rows)} rows found"
    for kind, call, rest in rows:
        if kind != "DENY" and call in (
                "socket", "connect", "bind", "listen", "sendmsg", "sendmmsg", "io_uring_setup", "io_uring_enter", "execve",
                "execveat", "ptrace", "fork", "vfork", "clone", "clone3", "socketpair", "process_vm_readv",
                "process_vm_writev", "pidfd_getfd", "open", "openat", "openat2", "creat"):
            yield call
        if call == "sendto" and not re.match(r"\s*4,\s*EQ,\s*0,", rest):
            yield "sendto with an address"


@check("the generated documents, and the policy in SQL, are what the tables say")
def generated_docs():
    for name, kind in (("docs/API.md", "api"), ("docs/REFERENCE.md", "reference"), ("migrations/api/05_policy.sql", "policy")):
        out = subprocess.run([BUILD / "docs" / "docgen", kind], capture_output=True, text=True, check=True).stdout
        path = ROOT / name
        if not path.exists() or text(path) != out:
            yield f"{name}: run build/docs/docgen {kind} > {name}"


@check("REALTIME.md has every close code, every message of a socket and its fields, and texts name only what exists")
def documents_follow():
    page = text(ROOT / "docs/REALTIME.md")
    for name, code in re.findall(r"^\s+(WS_\w+) = (\d{4}),", text(ROOT / "daemons/frontend/ws.h"), re.M):
        if not re.search(rf"^\| [^|]*\b{code}\b", page, re.M):
            yield f"docs/REALTIME.md: {name} {code}"
    said = re.findall(r"^OP\(socket_(\w+),.*?\)\)$", text(ROOT / "common/ops.def"), re.M | re.S)
    heard = re.findall(r'begin\(&text, "(\w+)"\)|\\"op\\":\\"(\w+)\\"', text(ROOT / "daemons/frontend/socket_say.c"))
    for word in said + [a or b for a, b in heard]:
        if f'{{"op":"{word}"' not in page:
            yield f'docs/REALTIME.md: op "{word}"'
    for key in re.findall(r'jsonw_key_\w+\(&w, "(\w+)"', text(ROOT / "daemons/frontend/socket_say.c")):
        if f'"{key}"' not in page and f"`{key}`" not in page:
            yield f'docs/REALTIME.md: member "{key}"'
    ours = [text(f) for f in [*sources(), *tracked("common/*.def", "migrations/*.sql", "packaging/postgresql/*")]]
    known = set(re.findall(r"\w+", "\n".join(ours))) | {"pg_basebackup", "io_uring", "synchronous_commit"}
    for f in tracked("docs/*.md", "README.md"):
        for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:[` ]|=)", text(f)):
            if word not in known and not word.startswith("lifeos_"):
                yield f"{rel(f)}: {word} is no word of any table or source"


@check("dashboards and alert rules name only metrics that exist, and Prometheus reads the rules")
def metrics_named():
    rows = re.findall(r"^(COUNTER|GAUGE|HISTOGRAM|COUNTER_BY)\s*\((\w+)", text(ROOT / "common/stats.def"), re.M)
    ends = {"COUNTER": ("_total",), "COUNTER_BY": ("_total",), "GAUGE": ("",), "HISTOGRAM": ("_seconds_bucket", "_seconds_sum", "_seconds_count")}
    known = {"lifeos_up"} | {f"lifeos_{name}{end}" for kind, name in rows for end in ends[kind]}
    rules = ROOT / "packaging/prometheus/lifeos.rules.yml"
    for f in (rules, ROOT / "packaging/grafana/lifeos.json"):
        exprs = " ".join(re.findall(r'(?:expr: |"expr": ")(.*)', text(f)))
        for name in sorted(set(re.findall(r"\blifeos_\w+", exprs)) - known):
            yield f"{rel(f)}: {name}"
    r = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    if r.returncode:
        yield r.stdout + r.stderr


@check("landed schema files are never edited")
def landed_tables():
    sums = ROOT / "migrations/tables/SHA256SUMS"
    known = dict(reversed(line.split("  ", 1)) for line in text(sums).splitlines())
    for f in tracked("migrations/tables/*.sql"):
        if known.get(f.name) != hashlib.sha256(f.read_bytes()).hexdigest():
            yield f"{rel(f)}: differs from SHA256SUMS; write a new file instead"


@check("no source file is over 450 lines, half of them are under 180")
def file_sizes():
    lengths = {f: text(f).count("\n") for f in sources()}
    for f, n in lengths.items():
        if n > 450:
            yield f"{rel(f)}: {n} lines"
    if lengths and statistics.median(lengths.values()) > 180:
        yield f"the median is {statistics.median(lengths.values())}"


@check("no function is over 50 lines")
def function_sizes():
    for f in sources():
        start = name = None
        for i, line in enumerate(text(f).splitlines(), 1):
            if re.match(r"^[A-Za-z_].*\)\s*\{$", line) or (start is None and line == "{"):
                start, name = i, line
            elif line == "}" and start:
                if i - start > 50:
                    yield f"{rel(f)}:{start}: {i - start} lines: {name[:60]}"
                start = None


@check("every source file says in its first line what it is for")
def first_lines():
    for f in sources():
        if not re.match(rf"/\*\s*(?:{re.escape(f.name)}|{re.escape(f.stem)}) - ", text(f)):
            yield rel(f)


@check("no daemon includes another's headers")
def layers():
    for f in tracked("daemons/*.c", "daemons/*.h"):
        own = f.relative_to(ROOT / "daemons").parts[0]
        for inc in re.findall(r'#include "([^"]+)"', text(f)):
            m = re.match(r"(?:\.\./)*(?:daemons/)?(frontend|webhook|writer|issuer|migrate|lifeosctl|reconcile|openclaw)/", inc)
            if m and m.group(1) != own:
                yield f"{rel(f)} includes {inc}"


@check("nothing that arrives on a socket can reach a secret's printing")
def no_secret_logging():
    for f in sources():
        for i, line in enumerate(text(f).splitlines(), 1):
            if re.search(r"log_(error|warn|note|info|line)\(.*(secret|->key\b|password|authorization)", line) and "%" in line:
                yield f"{rel(f)}:{i}: {line.strip()[:80]}"


@check("no leftovers, and nothing about where this was made")
def leftovers():
    words = re.compile(r"\bTO" r"DO\b|\bFIX" r"ME\b|\bX" r"XX\b|\.\./sha" r"red|/wo" r"rk/|/fa" r"rm/|registry\.npm" r"js|deb\.deb" r"ian\.org")
    for f in tracked("."):
        if f.name in ("LICENSE",) or f.suffix in (".bin", ".png"):
            continue
        try:
            for i, line in enumerate(text(f).splitlines(), 1):
                if words.search(line):
                    yield f"{rel(f)}:{i}: {line.strip()[:80]}"
        except UnicodeDecodeError:
            continue


@check("every module of common/ has a test")
def modules_tested():
    tests = " ".join(f.name for f in tracked("tests/*"))
    for h in tracked("common/*.h"):
        if f"test_{h.stem}.c" not in tests and f"test_{h.stem.split('_')[0]}.c" not in tests:
            yield rel(h)


@check("clang-format has nothing to change")
def formatted():
    files = [str(f) for f in sources()] + [str(f) for f in tracked("tests/unit/*.c", "tests/fuzz/*.c", "tests/policy/*.c")]
    r = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True, check=False)
    if r.returncode:
        yield from sorted(set(re.findall(r"^(\S+?\.[ch]):", r.stderr, re.M)))


def main():
    passed = failed = 0
    for promise, fn in checks:
        wrong = list(fn())
        print(("FAIL " if wrong else "ok   ") + promise)
        for w in wrong[:20]:
            print(f"     {w}")
        passed, failed = passed + (not wrong), failed + bool(wrong)
    result = os.environ.get("LIFEOS_RESULT")
    if result:
        with open(result, "a", encoding="ascii") as f:
            f.write(f"{passed} {failed} 0\n")
    return 1 if failed else 0


sys.exit(main())
