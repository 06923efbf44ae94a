"""Turns of one conversation at the same moment: one runs, nothing is said twice."""
from test_parallel import overlapping


def fresh(c, *statements):
    c.create_db("parallel", template="lifeos")
    for sql in ("SELECT t.create('s1', role => 'member')", *statements):
        c.psql(sql, db="parallel")


def state(talk, turn, more=""):
    return f"SELECT r.status || ' ' || coalesce(r.body ->> 'state', '') FROM t.begin('{talk}', '{turn}'{more}) r"


def ask(c, sql):
    return c.psql(sql, db="parallel")


def test_same_turn(c):
    """one turn begun by two processes at once: one runs it, the other waits, and the words are there once"""
    fresh(c)
    said = overlapping(c, state("s1", "t1"), state("s1", "t1", ", runner => 'run2'"))
    assert said == ("OK run", "OK wait"), said
    assert ask(c, "SELECT t.says('s1'), t.chains()") == "u:complete:hello|whole"
    fresh(c, "SELECT t.begin('s1', 't1')", "SELECT t.lose('t1')")
    said = overlapping(c, state("s1", "t1", ", runner => 'run2'"), state("s1", "t1", ", runner => 'run3'"))
    assert said == ("OK run", "OK wait"), said
    assert ask(c, "SELECT t.turn('t1')") == "running 2"


def test_two_turns(c):
    """two turns of one call begun at once: one runs, the other waits until it is over"""
    fresh(c)
    said = overlapping(c, state("s1", "t1"), state("s1", "t2", ", words => 'two'"))
    assert said == ("OK run", "OK wait"), said
    said = overlapping(c, "SELECT (t.end('s1', 't1', 'a')).status", state("s1", "t2", ", words => 'two'"))
    assert said == ("OK", "OK run"), said
    assert ask(c, "SELECT t.says('s1'), t.chains()") == "u:complete:hello | a:complete:a | u:complete:two|whole"


def test_new_chat(c):
    """the first two turns of a chat at once: one makes it, the other fails to be repeated, and then waits"""
    fresh(c)
    begin = state("c1", "{}", ", chat => true")
    try:
        overlapping(c, begin.format("t1"), begin.format("t2"))
        raise SystemError("nobody failed")
    except AssertionError as e:
        assert "stream_pkey" in str(e), e
    assert ask(c, begin.format("t2")) == "OK wait"
    assert ask(c, "SELECT t.says('c1'), t.chains()") == "u:complete:hello|whole"


def test_stop_and_end(c):
    """stop and the answer at the same moment: who is first decides, and both are told the same"""
    end, stop = "SELECT (t.end('s1', 't1', 'a')).status", "SELECT (t.stop('s1')).body ->> 'stopped'"
    fresh(c, "SELECT t.begin('s1', 't1')")
    assert overlapping(c, end, stop) == ("OK", "false")
    fresh(c, "SELECT t.begin('s1', 't1')")
    assert overlapping(c, stop, end) == ("true", "TURN_CANCELLED")


def test_dead_runner(c):
    """the sweep, the next turn and the runner that comes back too late: the turn ends once, as the first of them has it"""
    dead = ("SELECT t.begin('s1', 't1')", "SELECT t.add('s1', 't1', 0, 'half')", "SELECT t.lose('t1')")
    ends = "SELECT (SELECT count(*) FROM lifeos.event WHERE type = 'call.error'), t.turn('t1'), t.chains()"
    sweep = "SELECT lib.turn_interrupt('acc', 's1', 't1')"
    fresh(c, *dead)
    assert overlapping(c, sweep, state("s1", "t2")) == ("t", "OK run")
    assert ask(c, ends) == "1|failed TURN_INTERRUPTED 1|whole"
    fresh(c, *dead)
    assert overlapping(c, sweep, "SELECT (t.end('s1', 't1', 'half more')).status") == ("t", "TURN_INTERRUPTED")
    assert ask(c, ends) == "1|failed TURN_INTERRUPTED 1|whole"
    fresh(c, *dead)
    assert overlapping(c, "SELECT (t.add('s1', 't1', 4, ' more')).status", sweep) == ("OK", "f")
    assert ask(c, ends) == "0|running 1|whole"


def test_forgotten(c):
    """a chat that is forgotten while somebody speaks: either it is busy, or it is gone for him"""
    begin, forget = state("c1", "t2", ", chat => true"), "SELECT (t.forget('c1')).status"
    there = ("SELECT t.begin('c1', 't1', chat => true)", "SELECT t.end('c1', 't1', 'a')")
    fresh(c, *there)
    assert overlapping(c, begin, forget) == ("OK run", "CONVERSATION_BUSY")
    fresh(c, *there)
    assert overlapping(c, forget, begin) == ("OK", "CONVERSATION_NOT_FOUND")
