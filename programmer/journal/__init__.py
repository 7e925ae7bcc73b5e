"""What was done, why and by whom: a record in SQLite, written before and after each write to the kernel.

A batch is one row, so that a full table is a thousand rows and not a million.  Commits survive the death of this process; they
are not forced to the disk one by one, since the kernel's tables do not outlive a power failure either.  Plans and decisions are.

chain      records, their digests, and what does not fit (pure)
bodies     what the body of each kind of record says (pure)
past       what was installed at a past moment (pure)
schema     the tables, and files of the format before
reader     questions
audit      verification, and the anchor beside the file
retention  what goes after its time
store      writing
"""

from programmer.journal.audit import verify_file
from programmer.journal.bodies import Approval, StoredPlan
from programmer.journal.chain import AuditReport, verify_lines
from programmer.journal.past import Change, Images, Past, routes_at, undo
from programmer.journal.reader import Reader, open_reader
from programmer.journal.store import Journal

__all__ = [
    "Approval",
    "AuditReport",
    "Change",
    "Images",
    "Journal",
    "Past",
    "Reader",
    "StoredPlan",
    "open_reader",
    "routes_at",
    "undo",
    "verify_file",
    "verify_lines",
]
