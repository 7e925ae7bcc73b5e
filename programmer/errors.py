"""Everything that can go wrong between a plan and the kernel.

ProgrammerError
├── PlanError                refused before the kernel was touched
│   ├── PlanUnknown          no plan has that digest
│   ├── PlanStale            the plan expired, or the network moved on too far; freeze again
│   └── PlanRefused          policy, mode or state says no
├── JournalError             the record of changes cannot be read or written; nothing is written to the kernel
└── FibError                 the kernel, or the way to it, said no
    ├── FibUnavailable       the socket is lost or the namespace is gone; retry with back-off
    ├── FibDenied            no CAP_NET_ADMIN; retrying does not help
    ├── FibOverrun           notifications were lost; read the tables again
    ├── DumpInterrupted      the table changed while it was read, several times in a row; nothing may be derived from it
    └── NamespaceRefused     the target network namespace is missing, or is a container's own by mistake
"""


class ProgrammerError(Exception):
    """Base of all errors of this package."""


class PlanError(ProgrammerError):
    """Refused before the kernel was touched."""


class PlanUnknown(PlanError):
    """No plan has that digest."""


class PlanStale(PlanError):
    """The plan expired, or too much of it no longer matches the network."""


class PlanRefused(PlanError):
    """Policy, mode or the plan's state says no."""


class JournalError(ProgrammerError):
    """The record of changes cannot be read or written."""


class FibError(ProgrammerError):
    """The kernel, or the way to it, said no."""


class FibUnavailable(FibError):
    """The netlink socket is lost, or the namespace is gone."""


class FibDenied(FibError):
    """The process may not change routes (no CAP_NET_ADMIN in the target namespace)."""


class FibOverrun(FibError):
    """The kernel dropped notifications; what we know may be old."""


class DumpInterrupted(FibError):
    """Every attempt to read a table was interrupted by changes (NLM_F_DUMP_INTR)."""


class NamespaceRefused(FibError):
    """The target network namespace is missing, or is not the one that was meant."""
