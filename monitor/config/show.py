"""Every effective value with where it comes from: ``bgpmon config show``."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.config.canonical import plain
from monitor.config.document import KeyPath, path_text
from monitor.config.loader import Loaded, load_file
from monitor.config.model import Overrides


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value.

    ``origin`` is ``file``, ``default``, ``flag --mode``, ``environment $NODE_NAME`` or ``host name``.
    ``line`` counts from 1, and is 0 for all but ``file``.  ``value`` is text, a number, a truth value, a
    list of text, or None.
    """

    key: str
    value: object
    origin: str
    file: str = ""
    line: int = 0

    @property
    def source(self) -> str:
        """Where the value comes from, in one word or place."""
        return f"{self.file}:{self.line}" if self.line else self.origin


def show(
    path: str | os.PathLike[str],
    overrides: Overrides | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Return a valid configuration together with its origins; raises ConfigError."""
    return load_file(path, overrides or Overrides(), os.environ if environment is None else environment)


def settings(loaded: Loaded) -> list[Setting]:
    """Return every effective value in the order of the reference, each with where it comes from."""
    return [_setting(loaded, path, value) for path, value in _leaves(plain(loaded.config), ())]


def as_text(loaded: Loaded) -> str:
    """Return the settings as lines ``key = value  # source``, then the digest and the warnings."""
    rows = [(f"{setting.key} = {_value_text(setting.value)}", setting.source) for setting in settings(loaded)]
    width = min(max(len(left) for left, _ in rows), 72)
    lines = [f"{left.ljust(width)}  # {source}" for left, source in rows]
    lines.append(f"# policy digest {loaded.config.digest}")
    lines.extend(f"# warning: {warning}" for warning in loaded.config.warnings)
    return "\n".join(lines) + "\n"


def as_json(loaded: Loaded) -> dict[str, object]:
    """Return the settings for JSON: ``{file, digest, warnings, items: [{key, value, source, file, line}]}``.

    ``file`` and ``line`` of an item are there only where ``source`` is ``file``.
    """
    items = []
    for setting in settings(loaded):
        item: dict[str, object] = {"key": setting.key, "value": setting.value, "source": setting.origin}
        if setting.line:
            item |= {"file": setting.file, "line": setting.line}
        items.append(item)
    config = loaded.config
    return {"file": config.path, "digest": config.digest, "warnings": list(config.warnings), "items": items}


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield what stands at the ends: single values and whole lists; rules, windows and probes one by one."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value and path[-1] in {"import", "rules", "windows", "probes"}:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _setting(loaded: Loaded, path: KeyPath, value: object) -> Setting:
    if len(path) == 1 and path[0] in loaded.origins:
        return Setting(path_text(path), value, loaded.origins[str(path[0])])
    document = loaded.document
    # A value in short form (preferred_source: ADDRESS) stands one level up.
    place = path if path in document.values else path[:-1]
    if value is not None and (place == path or isinstance(document.value(place), str)):
        return Setting(path_text(path), value, "file", document.file, document.line_of(place))
    return Setting(path_text(path), value, "default")


def _value_text(value: object) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
