"""A journal with one record of each kind, for the tests of its chain."""

from programmer.fib import OK, WriteResult
from programmer.journal import Journal
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, TableId

ROUTE = Forwarding(200, (NextHop(b"\x0a\x01\x00\x02", 2),))
PLAN, OTHER = "7f" * 32, "80" * 32


def add(number: int) -> Operation:
    return Operation(TableId(101), Family.IPV4, bytes((24, 10, 0, number)), None, ROUTE)


def change(journal: Journal, *numbers: int, at: float = 1.0, plan: str = "", failed: int = 0) -> int:
    row = journal.begin([add(number) for number in numbers], at=at, cause="reconcile", actor="bgpmon", plan=plan)
    journal.finish(row, [WriteResult(101, "no")] * failed + [OK] * (len(numbers) - failed))
    return row


def approve(journal: Journal, at: float = 1.0) -> None:
    journal.add_approval(PLAN, at=at, principal="alice", method="unix", act="approve", ticket="T-1", comment="fine")


def fill(journal: Journal) -> None:
    """Write one of each kind."""
    journal.note("reload", "a \x00 text — with \udcff in it", at=1.0)
    change(journal, 1, 2, at=2.0, failed=1)
    journal.put_plan(PLAN, 1, "frozen", (3.0, 99.0), "alice", '{"a": 1}')
    approve(journal, 4.0)
    journal.set_plan_state(PLAN, "applying", "", at=5.0, actor="alice")
    journal.put_progress(PLAN, '{"done": 1}', at=6.0)
    change(journal, 3, at=7.0, plan=PLAN)
    journal.set_plan_state(PLAN, "applied", "1 done", at=8.0)
    journal.outside([add(4)], at=-0.0)
    journal.begin([add(5)], at=9, cause="reconcile", actor="bgpmon", plan="")


RECORDS = 13
