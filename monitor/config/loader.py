"""A file to a Config: read, validate as a whole, and say everything that is wrong at once."""

import os
import socket
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.change.signers import Signers, SignersError, read_signers
from monitor.config import build, parse
from monitor.config.approval import ApprovalCheck, check_people
from monitor.config.canonical import policy_digest
from monitor.config.check import Check
from monitor.config.document import Document, KeyPath, Span, path_text, read_document
from monitor.config.model import ApprovalConfig, Config, Mode, Overrides
from monitor.config.schema import FileModel, known_keys
from monitor.errors import ConfigError, ConfigProblem

NODE_VARIABLE = "NODE_NAME"
RUN_DIR_VARIABLE = "BGPMON_RUN_DIR"

NOBODY = Signers(())

SIGNERS_MAX = 1 << 20
"""Octets of a signers file, enough for thousands of keys."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, the file that it comes from, and what did not come from the file.

    ``origins`` names the latter by key: ``flag --mode``, ``environment $NODE_NAME`` or ``host name``.
    """

    config: Config
    document: Document
    origins: dict[str, str]


def load_file(path: str | os.PathLike[str], overrides: Overrides, environment: Mapping[str, str]) -> Loaded:
    """Return the configuration in the file *path*; raises ConfigError with every problem, in file order."""
    file = os.fspath(path)
    try:
        octets = FilePath(file).read_bytes()
    except OSError as error:
        hint = "bgpmon config init prints a file to start from" if isinstance(error, FileNotFoundError) else ""
        message = f"cannot read the configuration: {error.strerror or error}"
        raise ConfigError([ConfigProblem(file, 0, 0, "", message, hint)]) from None
    return load_octets(file, octets, overrides, environment)


def load_octets(file: str, octets: bytes, overrides: Overrides, environment: Mapping[str, str]) -> Loaded:
    """Return the configuration in *octets*; *file* is its name in messages."""
    document = read_document(file, octets)
    check = Check(document)
    check.run()
    of_change = ApprovalCheck(document)
    of_change.run()
    problems = [*document.problems, *_empty(document), *check.errors, *of_change.errors]
    model = None
    try:
        model = FileModel.model_validate(document.data)
    except ValidationError as error:
        problems += _schema_problems(document, error)
    outside, origins, complaints = _outside(document, overrides, environment)
    problems += complaints
    signers, of_signers = _signers(model.approval.allowed_signers if model else None)
    if model and model.approval.allowed_signers and not of_signers:
        problems += check_people(document, _approval(document, model, model.mode, signers))
    if model is None or problems or of_signers:
        raise ConfigError([*_ordered(problems), *of_signers])
    config = _config(document, model, outside, signers)
    warnings = tuple(_one_line(problem) for problem in _ordered([*check.warnings, *of_change.warnings]))
    config = replace(config, path=file, warnings=warnings)
    return Loaded(replace(config, digest=policy_digest(config)), document, origins)


def _config(document: Document, model: FileModel, outside: dict[str, str], signers: Signers) -> Config:
    """Return the values of a valid file; *outside* has what replaces or fills them."""
    mode = Mode(outside["mode"]) if "mode" in outside else model.mode
    return Config(
        node=outside.get("node") or model.node or "",
        mode=mode,
        netns=model.netns,
        state_dir=model.state_dir,
        run_dir=outside.get("run_dir", model.run_dir),
        protocol=model.protocol,
        protect=tuple(model.protect),
        encapsulation=model.encapsulation,
        reconcile=model.reconcile,
        api=build.api(model.api),
        sources=tuple(build.source(name, item) for name, item in model.sources.items()),
        domains=tuple(
            build.domain(name, item, _lines(document, ("domains", name, "import"), len(item.imports)))
            for name, item in model.domains.items()
        ),
        approval=_approval(document, model, mode, signers),
        clock=model.clock,
        windows=tuple(build.window(item) for item in model.windows),
        journal=build.journal(model.journal),
    )


def _approval(document: Document, model: FileModel, mode: Mode, signers: Signers) -> ApprovalConfig:
    lines = _lines(document, ("approval", "rules"), len(model.approval.rules or ()))
    return build.approval(model.approval, mode, lines, signers)


def _lines(document: Document, path: KeyPath, count: int) -> list[int]:
    """Return the lines of the entries of a list."""
    return [document.line_of((*path, index)) for index in range(count)]


def _signers(name: str | None) -> tuple[Signers, list[ConfigProblem]]:
    """Return the people in the signers file *name*, nobody where there is none, and what is wrong with the file."""
    if name is None:
        return NOBODY, []
    try:
        text = _signers_text(name)
    except parse.Unacceptable as error:
        return NOBODY, [ConfigProblem(name, 0, 0, "approval.allowed_signers", error.message, error.hint)]
    try:
        return read_signers(text), []
    except SignersError as error:
        document = Document(name, text.split("\n"))
        return NOBODY, [
            document.at(Span(line, 1, len(document.lines[line - 1])), "", sentence, "")
            for line, sentence in error.problems
        ]


def _signers_text(name: str) -> str:
    """Return the text of a signers file; raises Unacceptable for one that cannot be read, or that anybody can write."""
    try:
        # A pipe without a writer must not keep us waiting.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise parse.Unacceptable("the signers file is a directory or a device, not a file")
            if found.st_mode & stat.S_IWOTH:
                message = "everybody may write the signers file, so anyone could add a key"
                raise parse.Unacceptable(message, f"chmod o-w {name}")
            if found.st_size > SIGNERS_MAX:
                raise parse.Unacceptable(f"the signers file is larger than {SIGNERS_MAX >> 20} MiB")
            octets = b"".join(iter(lambda: os.read(descriptor, SIGNERS_MAX), b""))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise parse.Unacceptable(f"cannot read the signers file: {error.strerror or error}") from None
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise parse.Unacceptable("the signers file is not UTF-8 text", "save it as UTF-8") from None


def _outside(
    document: Document, overrides: Overrides, environment: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], list[ConfigProblem]]:
    """Return values from outside the file, where each comes from, and what is wrong with them.

    Flags replace the file's values.  The environment and the host name fill in for keys that the file lacks.
    """
    candidates = [
        ("mode", overrides.mode, "flag --mode"),
        ("run_dir", overrides.run_dir, "flag --run-dir"),
    ]
    if "run_dir" not in document.data and overrides.run_dir is None:
        candidates.append(("run_dir", environment.get(RUN_DIR_VARIABLE) or None, f"environment ${RUN_DIR_VARIABLE}"))
    if "node" not in document.data:
        named = environment.get(NODE_VARIABLE)
        candidates.append(
            ("node", named, f"environment ${NODE_VARIABLE}") if named else ("node", socket.gethostname(), "host name")
        )
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    problems = []
    for key, value, origin in candidates:
        if value is None:
            continue
        try:
            values[key] = _read(key, value)
        except parse.Unacceptable as error:
            problems.append(ConfigProblem(origin, 0, 0, key, error.message, error.hint))
        origins[key] = origin
    return values, origins, problems


def _read(key: str, value: str) -> str:
    if key == "mode":
        return parse.choice(value, [mode.value for mode in Mode])
    return parse.run_dir(value) if key == "run_dir" else parse.node(value)


def _empty(document: Document) -> list[ConfigProblem]:
    """Return a problem for every key without a value: it is a slip, or a template that rendered nothing."""
    told = {problem.key for problem in document.problems}
    return [
        document.problem(path, "there is no value", "give one, or remove the key", of_key=True)
        for path in document.values
        if path_text(path) not in told and document.value(path) is None
    ]


def _schema_problems(document: Document, error: ValidationError) -> list[ConfigProblem]:
    problems = []
    for detail in error.errors(include_url=False):
        kind, path = detail["type"], tuple(detail["loc"])
        of_key = path[-1:] == ("[key]",)
        path = path[:-1] if of_key else path
        # A key without a value has its own complaint, and so have tags that are not read.
        if kind not in {"missing", "extra_forbidden"} and detail["input"] is None:
            continue
        cause = (detail.get("ctx") or {}).get("error")
        of_key = of_key or kind == "extra_forbidden"
        if isinstance(cause, parse.Unacceptable):
            problem = document.problem(path, cause.message, cause.hint, of_key=of_key, offset=cause.offset)
        else:
            problem = document.problem(path, *_words(detail, path), of_key=of_key)
        problems.append(problem)
    return problems


def _words(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    """Return what is wrong and what to do about it, in our words instead of pydantic's."""
    value, bounds = parse.shown(detail["input"]), detail.get("ctx") or {}
    match detail["type"]:
        case "missing":
            return f"the key {path[-1]} is missing", ""
        case "extra_forbidden":
            return f"unknown key {parse.shown(path[-1])}", _nearest_key(path)
        case "int_type" | "int_from_float" | "int_parsing":
            return f"{value} is not a whole number", ""
        case "float_type" | "finite_number":
            return f"{value} is not a number", ""
        case "bool_type":
            return f"{value} is neither true nor false", ""
        case "greater_than_equal":
            return f"{value} is below {int(bounds['ge'])}", ""
        case "less_than_equal":
            return f"{value} is above {int(bounds['le'])}", ""
        case "list_type":
            return f"{value} is not a list", f"write [{detail['input']}]" if isinstance(detail["input"], str) else ""
        case "too_short":
            return "at least one entry is needed", ""
        case "too_long":
            return f"at most {bounds['max_length']} entries are allowed", ""
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"{value} is not a mapping", _mapping_hint(path)
        case _:
            return detail["msg"], ""


def _mapping_hint(path: KeyPath) -> str:
    if path[-1] in {"accept", "deny"}:
        return "write any, or conditions such as {prefix: 10.8.0.0/14}"
    known = ", ".join(known_keys(path))
    return f"known keys: {known}" if known else "write NAME: {...}"


def _nearest_key(path: KeyPath) -> str:
    return parse.nearest(str(path[-1]), known_keys(path[:-1]))


def _ordered(problems: Iterable[ConfigProblem]) -> list[ConfigProblem]:
    """Return the problems in the order of the file, each once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))


def _one_line(problem: ConfigProblem) -> str:
    """Return a warning in one line."""
    return f"{problem.place}: {problem.key}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
