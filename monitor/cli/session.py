"""What holds for every command: the output format, the run_dir, and errors to exit codes."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.opening import DEFAULT_RUN_DIR, RUN_DIR_VARIABLE, usual_run_dir
from monitor.demo import NOTICE
from monitor.errors import (
    BadRequest,
    ConfigError,
    DaemonUnreachable,
    MonitorError,
    Refused,
    RolledBack,
    SourceUnavailable,
    Stale,
)
from monitor.text.table import Page, clean_lines
from programmer.errors import PlanRefused, PlanStale, PlanUnknown, ProgrammerError

if TYPE_CHECKING:
    from monitor.api.client import Client
    from monitor.ports import Document

Function = TypeVar("Function", bound=Callable[..., Any])


class ExitCode(IntEnum):
    """How a command ended; others rely on the numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DIFFERENT = 4
    REFUSED = 5
    STALE = 6
    ROLLED_BACK = 7
    UNHEALTHY = 8
    INTERRUPTED = 130


_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (BadRequest, ExitCode.USAGE),
    (ConfigError, ExitCode.USAGE),
    (DaemonUnreachable, ExitCode.UNREACHABLE),
    (SourceUnavailable, ExitCode.UNREACHABLE),
    (Refused, ExitCode.REFUSED),
    (PlanRefused, ExitCode.REFUSED),
    (Stale, ExitCode.STALE),
    (RolledBack, ExitCode.ROLLED_BACK),
    (PlanStale, ExitCode.STALE),
    (PlanUnknown, ExitCode.STALE),
)


@dataclass(slots=True)
class Settings:
    """What the options before and after the command said; the later one counts."""

    output: str = "table"
    run_dir: str | None = None

    @property
    def json(self) -> bool:
        """Whether programs read the output."""
        return self.output == "json"

    @property
    def daemon_dir(self) -> str:
        """Where the daemon's sockets are."""
        return self.run_dir or usual_run_dir()


def settings() -> Settings:
    """Return what the options said."""
    return click.get_current_context().ensure_object(Settings)


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None and parameter.name is not None:
        setattr(context.ensure_object(Settings), parameter.name, value)


def output_option(command: Function) -> Function:
    """Add ``-o``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        help="Text for people (table, the default) or JSON for programs.",
        expose_value=False,
        callback=_keep,
    )(command)


def run_dir_option(command: Function) -> Function:
    """Add ``--run-dir``."""
    return click.option(
        "--run-dir",
        metavar="DIR",
        help=f"Directory of the daemon's sockets; default: ${RUN_DIR_VARIABLE}, else {DEFAULT_RUN_DIR}.",
        expose_value=False,
        callback=_keep,
    )(command)


def client_options(command: Function) -> Function:
    """Add the options of every command that asks the daemon."""
    return output_option(run_dir_option(command))


@contextmanager
def daemon() -> Iterator["Client"]:
    """Connect to the daemon."""
    # What talks to no daemon does not pay for gRPC.
    from monitor.api.client import Client  # noqa: PLC0415

    with Client(settings().daemon_dir) as client:
        yield client


def emit(text: str) -> bool:
    """Write data to stdout.  A reader that has gone away is no error: it has what it wanted; returns whether it is there."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def say(text: str) -> None:
    """Write talk to stderr."""
    try:
        sys.stderr.write(f"{clean_lines(text)}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


Screen = Callable[["Document", Page], Iterable[str]]


def show(document: "Document", screen: Screen, *, label_first: bool = False) -> None:
    """Write *document*, as JSON or as the lines that *screen* makes of it, and say when it is cut off.

    A demo's document is labelled as one: by talk, or with *label_first* by the first line of the screen.
    """
    first = label_first and not settings().json
    if not first:
        tell_demo(document)
    if settings().json:
        emit(json_text(document))
    else:
        label = [_LABEL] if first and document.get("simulated") is True else []
        emit("\n".join([*label, *screen(document, Page.of(sys.stdout))]))
    tell_cut(document)


_LABEL = f"DEMO: {NOTICE}"


def tell_demo(document: "Document") -> None:
    """Say on stderr that a document is a demo's, when it is."""
    if document.get("simulated") is True:
        say(_LABEL)


def tell_cut(document: "Document") -> None:
    """Say on stderr that a document is cut off, when it is."""
    if document.get("truncated") is True:
        shown = next(
            (len(held) for key in ("items", "operations") if isinstance(held := document.get(key), list)), None
        )
        if shown is None:
            say("bgpmon: cut off: the counts are whole, the lists are not")
        else:
            say(f"bgpmon: cut off: {shown} of {document.get('total', 'more')} shown; see --help for what narrows it")


def json_text(document: object) -> str:
    """Return JSON in plain ASCII: control characters are escaped, DEL too, which JSON would allow."""
    return json.dumps(document, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")


def json_line(document: object) -> str:
    """Return the same on one line."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).replace("\x7f", "\\u007f")


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run the command line from its root *command* on, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = command.main(None if arguments is None else list(arguments), "bgpmon", standalone_mode=False)
        return int(status or ExitCode.DONE)
    except click.ClickException as error:
        say(_usage(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("bgpmon: interrupted")
        return ExitCode.INTERRUPTED
    except (MonitorError, ProgrammerError) as error:
        say(f"bgpmon: {error}")
        return exit_code(error)


def exit_code(error: Exception) -> ExitCode:
    """Return how a command ends that *error* ended."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def _usage(error: click.ClickException) -> str:
    """Return what click would print."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    head = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n" if context else ""
    return f"{head}Error: {error.format_message()}"
