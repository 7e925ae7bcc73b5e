"""Facts that the journal keeps over restarts."""

from pathlib import Path

from programmer.journal import Journal


def test_facts_outlive_a_restart_until_they_are_forgotten(tmp_path: Path) -> None:
    file = str(tmp_path / "journal.db")
    first = Journal(file)
    first.remember("teardown fabric 192.0.2.1", "one")
    first.remember("teardown fabric 192.0.2.2", "two")
    first.remember("teardown fabric 192.0.2.1", "three")
    first.remember("soak 7f3a", "other")
    first.close()
    second = Journal(file)
    assert second.recall("teardown ") == {"teardown fabric 192.0.2.1": "three", "teardown fabric 192.0.2.2": "two"}
    second.remember("teardown fabric 192.0.2.1", None)
    second.remember("never there", None)
    assert second.recall("teardown ") == {"teardown fabric 192.0.2.2": "two"}
    assert second.recall("") == {"teardown fabric 192.0.2.2": "two", "soak 7f3a": "other"}
    second.close()
