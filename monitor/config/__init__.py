"""The configuration: one YAML file in, frozen values out, or every error at once with its place.

model     the values
parse     one text to one value: durations, communities, targets, patterns; for change control in parse_change
document  YAML with the place of every key and value
shape     how values are read, for the schema (pydantic)
schema    which keys exist, and of which type; those of change control in schema_change
check     what must hold between keys; for change control in approval
build     what was validated to values
canonical a Config as plain data, and its policy digest
loader    a file to a Config
show      every effective value with where it comes from
sample    a file to start from
"""

import os
from collections.abc import Mapping

from monitor.config.model import (
    ANY,
    ApiConfig,
    ApprovalConfig,
    AsPathPattern,
    BmpView,
    Clock,
    Condition,
    Config,
    DefaultRoute,
    DomainConfig,
    ForeignRoutes,
    ImportRule,
    JournalConfig,
    LargeCommunity,
    Limit,
    LimitAction,
    MaxDrift,
    Mode,
    Overrides,
    PeerLimit,
    PeerSelector,
    PerFamily,
    PrefixRange,
    RemovalBudget,
    SoakConfig,
    SourceConfig,
    TlsFiles,
)
from monitor.errors import ConfigError, ConfigProblem

__all__ = [
    "ANY",
    "ApiConfig",
    "ApprovalConfig",
    "AsPathPattern",
    "BmpView",
    "Clock",
    "Condition",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "DefaultRoute",
    "DomainConfig",
    "ForeignRoutes",
    "ImportRule",
    "JournalConfig",
    "LargeCommunity",
    "Limit",
    "LimitAction",
    "MaxDrift",
    "Mode",
    "Overrides",
    "PeerLimit",
    "PeerSelector",
    "PerFamily",
    "PrefixRange",
    "RemovalBudget",
    "SoakConfig",
    "SourceConfig",
    "TlsFiles",
    "load",
]


def load(
    path: str | os.PathLike[str],
    overrides: Overrides | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration in the file *path*; raises ConfigError with everything that is wrong with it.

    *overrides* are the command line's; *environment* is ``os.environ`` unless given.
    """
    # Clients import this package for its names; only who reads a file pays for pydantic and YAML.
    from monitor.config.loader import load_file  # noqa: PLC0415

    environment = os.environ if environment is None else environment
    return load_file(path, overrides or Overrides(), environment).config
