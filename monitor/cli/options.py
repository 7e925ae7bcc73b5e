"""Values of options: moments, stretches of time, statements and signatures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.session import Function
from monitor.text.moment import moment, span

if TYPE_CHECKING:
    from monitor.ports import Endorsement

    _Seconds = click.ParamType[float]
else:
    # Before its version 8.5 click's class takes no parameter.
    _Seconds = click.ParamType

MOST_READ = 64 << 10
"""Octets of a statement or a signature: the daemon takes no more."""


class When(_Seconds):
    """A moment, in seconds since the epoch; with *ahead* one that may not have come yet."""

    name = "time"

    def __init__(self, *, ahead: bool = False) -> None:
        self._ahead = ahead

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See ``monitor.text.moment``."""
        if isinstance(value, float):
            return value
        try:
            return moment(str(value), time.time(), ahead=self._ahead)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(_Seconds):
    """A stretch of time, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See ``monitor.text.moment``."""
        if isinstance(value, float):
            return value
        try:
            return span(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


READABLE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


def signature_options(command: Function) -> Function:
    """Add ``--statement`` and ``--signature``."""
    with_statement = click.option(
        "--statement", type=READABLE, metavar="FILE", help="What was signed; default: what `plan statement` prints."
    )
    with_signature = click.option(
        "--signature", type=READABLE, metavar="FILE", help="What `ssh-keygen -Y sign` made of the statement."
    )
    return with_statement(with_signature(command))


def endorsement(
    statement: Path | None,
    signature: Path | None,
    *,
    ticket: str = "",
    comment: str = "",
    name: str = "",
    break_glass: bool = False,
) -> "Endorsement":
    """Return what comes with a decision.  Raises UsageError."""
    from monitor.ports import Endorsement  # noqa: PLC0415 - it loads the values of routes

    if statement is not None and signature is None:
        raise click.UsageError("a statement says nothing without its signature: --signature FILE")
    signed = _read(signature, "--signature") if signature else b""
    if not signed.isascii():
        raise click.UsageError(f"{signature} is no SSH signature: give the file that `ssh-keygen -Y sign` made")
    return Endorsement(
        statement=_read(statement, "--statement") if statement else b"",
        signature=signed.decode("ascii"),
        ticket=ticket,
        comment=comment,
        name=name,
        break_glass=break_glass,
    )


def _read(file: Path, option: str) -> bytes:
    try:
        with file.open("rb") as stream:
            octets = stream.read(MOST_READ + 1)
    except OSError as error:
        raise click.UsageError(f"{option}: cannot read {file}: {error.strerror}") from error
    if not octets or len(octets) > MOST_READ:
        raise click.UsageError(f"{option}: {file} is {'empty' if not octets else 'far too large for that'}")
    return octets
