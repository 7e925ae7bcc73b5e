"""How values of the file are read, and what an editor is told of them: what every part of the schema is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from monitor.config import parse

T = TypeVar("T")

DAY = 86400.0
DURATION = r"^([0-9]+(d|h|ms|m|s))+$"
MAX_COUNT = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Read:
    """Annotation of a value that ``parser`` reads, with what an editor should know about its text."""

    parser: Callable[[object], object]
    description: str
    json: Mapping[str, object] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parser)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        return {"description": self.description, "type": "string", **self.json}


class OneOrMore:
    """Annotation of a list for which a single value may stand too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        found = handler(schema)
        return {"anyOf": [found["items"], found]}


def seconds(least: float, most: float) -> Read:
    """Return the annotation of a duration in seconds, both bounds included."""
    span = f"A duration from {parse.duration_text(least)} to {parse.duration_text(most)}, such as 90s or 1h30m."
    return Read(partial(parse.duration, least=least, most=most), span, {"pattern": DURATION})


def choice(words: Mapping[str, T]) -> Read:
    """Return the annotation of a word that stands for a value."""

    def read(value: object) -> T:
        return words[parse.choice(value, words)]

    return Read(read, f"One of {', '.join(words)}.", {"enum": list(words)})


def _listed(value: object) -> object:
    """Return a single value as a list of one."""
    return value if isinstance(value, list) else [value]


FileText = Annotated[str, Read(parse.file_name, "An absolute file name.", {"pattern": "^/"})]
NameText = Annotated[str, Read(parse.name, "A name.")]
InterfaceText = Annotated[str, Read(parse.interface, "The name of a network interface.")]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class Model(BaseModel):
    """Unknown keys are errors, and no type is turned into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
