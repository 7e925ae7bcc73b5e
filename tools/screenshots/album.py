"""The folder ``screenshots``: pictures as SVG and PNG, a manifest of them, and an index to look through."""

import io
import json
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from PIL import Image

from tools.screenshots.night import NIGHT, SCENES
from tools.terminal import picture
from tools.terminal.screen import Screen

STEPS = (1.0, 0.7, 0.4)
"""How much of a letter's colour there is at its edge: these are the colours of a PNG."""

CAST = "story.cast"
NAME = re.compile(r"(demo|lab)-(\d+)x(\d+)-(.+)")


@dataclass(frozen=True)
class Entry:
    """One picture as the manifest has it; sizes of the files in bytes, of the terminal in cells, of the PNG in dots."""

    name: str
    scene: str
    source: str
    columns: int
    rows: int
    width: int
    height: int
    svg: int
    png: int


HEAD = """\
# Screenshots

Made by `make screenshots`, never edited by hand. Each is what `bgpmon` shows on a terminal as `kubectl exec -it` gives it:
TERM=xterm, 16 colours. Those of the demo say DEMO; those of the lab are of real routers and a real kernel in
network namespaces. Each links to its SVG, in which text can be selected. `manifest.json` lists them. What the keys do is in
[the guide to the terminal UI](../docs/tui.md).
"""

STORY = """\
## The story as a recording

[story.cast](story.cast) is [change control in five minutes](../docs/story.md) as the terminal UI shows it: {length}. A bad route,
two signatures, a window, a probe that fails, and the way back. Waiting is shortened. The format is asciinema's, version 2:

```
asciinema play screenshots/story.cast
```

Space pauses it, a dot goes one step on, and `]` jumps to the next marker:
"""


class Album:
    """The folder while it is filled; what is not made anew stays as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.made: set[str] = set()
        self.cast: dict[str, object] = {}
        folder.mkdir(exist_ok=True)
        if (folder / "manifest.json").exists():
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self.entries = {item["name"]: Entry(**item) for item in manifest["pictures"]}
            self.cast = manifest.get("recording") or {}

    def add(self, source: str, scene: str, screen: Screen, caption: str) -> None:
        """Draw a screen, and keep it."""
        slug = scene.removeprefix("lab-")
        name = f"{source}-{screen.columns}x{screen.rows}-{slug}"
        drawn = picture.svg(screen, caption)
        (self.folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
        width, height, octets = _small(drawn)
        (self.folder / f"{name}.png").write_bytes(octets)
        self.entries[name] = Entry(
            name, scene, source, screen.columns, screen.rows, width, height, len(drawn.encode()), len(octets)
        )
        self.made.add(name)

    def record(self, text: str, size: tuple[int, int], seconds: float, markers: list[str]) -> None:
        """Keep the recording of the story."""
        (self.folder / CAST).write_text(text, encoding="utf-8")
        self.cast = {
            "name": CAST,
            "seconds": round(seconds, 1),
            "columns": size[0],
            "rows": size[1],
            "bytes": len(text.encode()),
            "markers": markers,
        }

    def finish(self, *sources: str) -> None:
        """Write manifest and index; pictures of these *sources* that were not made this time are gone."""
        for name, entry in list(self.entries.items()):
            if (entry.source in sources and name not in self.made) or entry.scene not in SCENES:
                del self.entries[name]
        for file in self.folder.iterdir():
            if file.suffix in {".svg", ".png"} and file.stem not in self.entries:
                file.unlink()
        order = {scene.slug: place for place, scene in enumerate(NIGHT)}
        pictures = sorted(self.entries.values(), key=lambda entry: (order[entry.scene], entry.columns, entry.name))
        manifest = {
            "made_by": "make screenshots",
            "bgpmon": version("bgpmon"),
            "pictures": [asdict(entry) for entry in pictures],
            "recording": self.cast,
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (self.folder / "README.md").write_text(index(pictures, self.cast), encoding="utf-8")


def _small(drawn: str) -> tuple[int, int, bytes]:
    """A PNG of an SVG's size, with a palette of the SVG's own colours: the folder is to stay small."""
    with Image.open(io.BytesIO(picture.png(drawn))) as whole:
        flat = Image.new("RGB", whole.size, picture.BACKGROUND)
        flat.paste(whole, mask=whole.getchannel("A") if "A" in whole.getbands() else None)
    few = flat.reduce(2).quantize(palette=_palette(drawn), dither=Image.Dither.NONE)
    output = io.BytesIO()
    few.save(output, "PNG", optimize=True)
    return *few.size, output.getvalue()


def _palette(drawn: str) -> Image.Image:
    """The colours of a picture, and those between each and the background."""
    used = dict.fromkeys([picture.BACKGROUND, picture.FOREGROUND, *re.findall(r"#[0-9a-f]{6}\b", drawn)])
    found = dict.fromkeys(picture.mixed(colour, picture.BACKGROUND, step) for step in STEPS for colour in used)
    palette = Image.new("P", (1, 1))
    palette.putpalette(b"".join(bytes.fromhex(colour[1:]) for colour in list(found)[:256]))
    return palette


def index(pictures: list[Entry], cast: dict[str, object]) -> str:
    """The README of the folder."""
    lines = [HEAD]
    if cast:
        length = f"{cast['seconds']:.0f} seconds, {cast['columns']} columns, {cast['rows']} rows"
        lines += [
            STORY.format(length=length),
            *(f"{n}. {marker}" for n, marker in enumerate(_words(cast["markers"]), 1)),
            "",
        ]
    chapter = ""
    for scene in NIGHT:
        shown = [entry for entry in pictures if entry.scene == scene.slug]
        if not shown:
            continue
        if scene.chapter != chapter:
            chapter = scene.chapter
            lines += [f"## {chapter}", ""]
        lines += [scene.says, ""]
        for entry in shown:
            alt = f"{entry.source}, {entry.columns}x{entry.rows}: {scene.says}".replace("`", "")
            lines += [f"[![{alt}]({entry.name}.png)]({entry.name}.svg)", ""]
    return "\n".join(lines)


def _words(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
