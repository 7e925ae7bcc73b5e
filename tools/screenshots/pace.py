"""How long each scene of a recording plays: what happens in it is shortened, and what it shows stays to be read.  Pure."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple


class Part(NamedTuple):
    """A scene from its beginning (monotonic seconds): what its marker says, and how many seconds it plays and then rests."""

    began: float
    label: str
    plays: float
    rests: float


@dataclass
class Pace:
    """Scenes in their order, and the moment at which each moment of them is played."""

    parts: list[Part] = field(default_factory=list)
    ended: float = 0.0

    def begin(self, at: float, label: str, *, plays: float, rests: float) -> None:
        """Begin a scene: whatever happens in it plays *plays* seconds at most, and stands still for *rests* at its end."""
        self.parts.append(Part(at, label, plays, rests))

    def end(self, at: float) -> None:
        """The last scene is over."""
        self.ended = at

    def played(self, at: float) -> float:
        """When a moment is played, in seconds from the beginning."""
        if not self.parts:
            return 0.0
        place = max(0, bisect_right([part.began for part in self.parts], at) - 1)
        before = sum(self._plays(number) + part.rests for number, part in enumerate(self.parts[:place]))
        took = self._took(place)
        share = min(1.0, max(0.0, at - self.parts[place].began) / took) if took > 0 else 1.0
        return before + share * self._plays(place)

    def markers(self) -> list[tuple[float, str]]:
        """When each scene begins to play, and what it is called."""
        return [(self.played(part.began), part.label) for part in self.parts]

    @property
    def seconds(self) -> float:
        """How long all of it plays."""
        return sum(self._plays(number) + part.rests for number, part in enumerate(self.parts))

    def _took(self, place: int) -> float:
        following = self.parts[place + 1].began if place + 1 < len(self.parts) else self.ended
        return max(0.0, following - self.parts[place].began)

    def _plays(self, place: int) -> float:
        return min(self._took(place), self.parts[place].plays)
