"""The folder of screenshots is as its manifest says: pictures that need nothing else, a recording that shows what it tells."""

import itertools
import json
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tools.screenshots.night import SCENES
from tools.screenshots.pace import Pace
from tools.terminal import cast, picture

FOLDER = Path(__file__).resolve().parents[2] / "screenshots"
MOST_BYTES = 6_000_000


@cache
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
    return found


PICTURES: list[dict[str, Any]] = manifest()["pictures"]
NAMES = [item["name"] for item in PICTURES]


def words_of(svg: ET.Element) -> str:
    """Everything that is written in a picture."""
    return " ".join(text for node in svg.iter() for text in [node.text or ""] if not node.tag.endswith("style"))


def test_manifest_and_folder_agree() -> None:
    files = {file.name for file in FOLDER.iterdir()}
    pictures = {f"{name}.{ending}" for name in NAMES for ending in ("svg", "png")}
    assert files == pictures | {"manifest.json", "README.md", manifest()["recording"]["name"]}
    assert len(NAMES) == len(set(NAMES))
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < MOST_BYTES


def test_every_scene_of_the_demo_and_of_the_lab_is_there() -> None:
    assert {item["scene"] for item in PICTURES} == set(SCENES)


def test_the_index_shows_every_picture() -> None:
    index = (FOLDER / "README.md").read_text()
    assert [name for name in NAMES if f"({name}.png)" not in index or f"({name}.svg)" not in index] == []
    assert "make screenshots" in index


@pytest.mark.parametrize("item", PICTURES, ids=NAMES)
def test_picture(item: dict[str, Any]) -> None:
    drawn = (FOLDER / f"{item['name']}.svg").read_bytes()
    svg = ET.fromstring(drawn)
    assert len(drawn) == item["svg"]
    assert not re.search(
        rb"https?://|href|@import|url\(|<script|<image", drawn.replace(picture.NAMESPACE.encode(), b"")
    )
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    assert abs(width - item["columns"] * picture.CELL - 2 * picture.PADDING) < 1
    assert height == picture.BAR + item["rows"] * picture.LINE + 2 * picture.PADDING

    octets = (FOLDER / f"{item['name']}.png").read_bytes()
    assert len(octets) == item["png"]
    assert octets.startswith(b"\x89PNG\r\n\x1a\n")
    size = struct.unpack(">II", octets[16:24])
    assert size == (item["width"], item["height"])
    assert all(abs(dots - length) <= 1 for dots, length in zip(size, (width, height), strict=True))

    assert (item["source"] == "demo") == bool(re.search(r"\bDEMO\b", words_of(svg))), (
        "only the demo says so, and always"
    )


def test_the_recording_shows_what_its_markers_say() -> None:
    told = manifest()["recording"]
    read = cast.read((FOLDER / told["name"]).read_text())
    assert [label for _, label in read.markers] == told["markers"]
    assert (read.columns, read.rows) == (told["columns"], told["rows"])
    assert 30 < read.duration < 90
    moments = [at for at, _ in read.markers] + [read.duration + 1]
    for (_, label), following in zip(read.markers, moments[1:], strict=True):
        quoted = re.findall(r'"([^"]+)"', label)
        assert quoted, label
        shown = " ".join(read.replay(following - 0.001).text.split())
        assert [words for words in quoted if words not in shown] == [], label


def test_time_never_goes_back_in_a_recording_and_each_scene_has_its_length() -> None:
    pace = Pace()
    pace.begin(100.0, "quick", plays=2.0, rests=1.0)
    pace.begin(100.5, "slow", plays=4.0, rests=3.0)
    pace.end(140.5)
    moments = [pace.played(at) for at in (90.0, 100.0, 100.25, 100.49, 100.5, 120.5, 140.5, 150.0)]
    assert moments == sorted(moments)
    assert moments[:3] == [0.0, 0.0, 0.25]
    assert moments[4:] == [1.5, 3.5, 5.5, 5.5]
    assert pace.seconds == 8.5
    assert pace.markers() == [(0.0, "quick"), (1.5, "slow")]
    assert all(before <= after for before, after in itertools.pairwise(moments))
