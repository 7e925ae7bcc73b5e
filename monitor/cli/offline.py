"""The commands that need no daemon: run, config, version."""

import json

import click

import monitor
from monitor.cli.session import (
    ExitCode,
    client_options,
    emit,
    json_text,
    output_option,
    run_dir_option,
    say,
    settings,
)
from monitor.errors import ConfigError
from monitor.text.table import clean_lines


@click.command()
@run_dir_option
@click.option("--config", "file", metavar="FILE", required=True, help="The configuration.")
@click.option(
    "--mode",
    type=click.Choice(["dry-run", "approve", "auto"]),
    help="What may write to the kernel, in place of the file's word.",
)
def run(file: str, mode: str | None) -> int:
    """Run the daemon in the foreground; its log goes to stderr.

    --run-dir stands in place of the configuration's run_dir here.
    """
    from monitor.config import Overrides  # noqa: PLC0415
    from monitor.daemon import run as serve  # noqa: PLC0415 - it imports everything

    return serve(file, Overrides(mode=mode, run_dir=settings().run_dir))


@click.command()
@client_options
def version() -> int:
    """The version of this program."""
    if settings().json:
        emit(json_text({"version": monitor.__version__}))
    else:
        emit(f"bgpmon {monitor.__version__}")
    return ExitCode.DONE


@click.group()
@output_option
def config() -> None:
    """The configuration file: check it, see what is in force, start one."""


@config.command("check")
@output_option
@click.argument("file")
def config_check(file: str) -> int:
    """Check FILE: prints nothing, or everything that is wrong with it and exits with 2.

    With -o json the problems are an object on stdout.
    """
    from monitor.config import load  # noqa: PLC0415 - pydantic and YAML are slow to import

    try:
        loaded = load(file)
    except ConfigError as error:
        if not settings().json:
            raise
        keys = ("file", "line", "column", "key", "message", "hint")
        emit(json_text({"items": [{key: getattr(problem, key) for key in keys} for problem in error.problems]}))
        return ExitCode.USAGE
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return ExitCode.DONE


@config.command("show")
@output_option
@click.argument("file")
def config_show(file: str) -> int:
    """Every effective value of FILE with where it comes from."""
    from monitor.config import show  # noqa: PLC0415

    loaded = show.show(file)
    emit(json_text(show.as_json(loaded)) if settings().json else clean_lines(show.as_text(loaded)))
    return ExitCode.DONE


@config.command("schema")
def config_schema() -> int:
    """The JSON Schema of the configuration, for editors."""
    from monitor.config.schema import json_schema  # noqa: PLC0415

    emit(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE


@config.command("init")
def config_init() -> int:
    """A configuration to start from."""
    from monitor.config.sample import SAMPLE  # noqa: PLC0415

    emit(SAMPLE)
    return ExitCode.DONE
