"""Which addresses of a prefix no more specific prefix covers, in steps, looking only at what lies inside.

Inside this module a prefix is a *number*: its network address shifted by eight bits, plus its length.  Numbers sort by
address, covering prefixes first, and compare faster than anything else that Python has.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Container, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from programmer.route import Family, NextHop, PrefixKey

SLICE = 20_000
"""Prefixes looked at in one step: two to six milliseconds."""

TRY_COST = 2
"""Building a prefix and looking it up costs about this many times as much as passing one by in a scan."""

MOST_HEADS = 1 << 16
"""Beginnings of prefixes that a scan tells apart at most."""

Range = tuple[int, int]
"""First and last address."""

Steps = Generator[None, None, None]


def number_of(family: Family, key: PrefixKey) -> int:
    """Return the number of a prefix."""
    return int.from_bytes(key[1:].ljust(family.bits >> 3, b"\0") + key[:1])


def key_of_number(family: Family, number: int) -> PrefixKey:
    """Return the prefix key of a number."""
    length = number & 0xFF
    return bytes((length,)) + (number >> 8).to_bytes(family.bits >> 3)[: (length + 7) >> 3]


def range_of(family: Family, number: int) -> Range:
    """Return the first and the last address of a number."""
    first = number >> 8
    return first, first + (1 << (family.bits - (number & 0xFF))) - 1


class _Roots(NamedTuple):
    """Disjoint prefixes in order: the outermost of some targets."""

    first: list[int]
    last: list[int]
    length: list[int]


def _roots(family: Family, targets: Sequence[list[int]]) -> Generator[None, None, _Roots]:
    roots = _Roots([], [], [])
    end = -1
    for part in in_order(targets):
        for number in part:
            if number >> 8 > end:
                first, end = range_of(family, number)
                roots.first.append(first)
                roots.last.append(end)
                roots.length.append(number & 0xFF)
        yield
    return roots


def inside(
    family: Family, targets: Sequence[list[int]], sources: Sequence[Collection[PrefixKey]]
) -> Generator[None, None, list[list[int]]]:
    """Return sorted runs of the numbers of all prefixes of *sources* that are more specific than a target.

    *targets* are sorted runs too.  A prefix may be in more than one run.  A large source is scanned once, unless so few
    prefixes are possible inside the targets that looking each of them up is cheaper.
    """
    roots = yield from _roots(family, targets)
    runs: list[list[int]] = []
    possible = sum(2 << (family.bits - length) for length in roots.length)
    for source in sources:
        if possible * TRY_COST < len(source):
            yield from _try(family, roots, source, runs)
        elif source and roots.first:
            yield from _scan(family, roots, list(source), runs)
    return [run for run in runs if run]


def _try(family: Family, roots: _Roots, source: Collection[PrefixKey], runs: list[list[int]]) -> Steps:
    """Append one sorted run: of all prefixes that can be inside the roots, those that are in *source*."""
    found: list[int] = []
    for first, last, shortest in zip(*roots, strict=True):
        for length in range(shortest + 1, family.bits + 1):
            octets = (length + 7) >> 3
            shift, head = family.bits - 8 * octets, bytes((length,))
            values = range(first >> shift, (last >> shift) + 1, 1 << (8 * octets - length))
            hits = [value for value in values if head + value.to_bytes(octets) in source]
            found += [value << shift << 8 | length for value in hits]
            yield
    runs.append(sorted(found))


def _scan(family: Family, roots: _Roots, keys: list[PrefixKey], runs: list[list[int]]) -> Steps:
    """Append a sorted run for every slice of *keys*: those inside the roots."""
    if not keys:
        return
    width = family.bits >> 3
    everything = roots.length[0] == 0
    heads, size = (frozenset[bytes](), 0) if everything else (yield from _heads(family, roots))
    # Keys begin with their length, so this comparison leaves out all that are not longer than the shortest root.
    floor = bytes((min(roots.length),)) + b"\xff" * width
    firsts, lasts, lengths = roots
    for start in range(0, len(keys), SLICE):
        part = [key for key in keys[start : start + SLICE] if key > floor]
        if everything:
            runs.append(sorted([int.from_bytes(key[1:].ljust(width, b"\0") + key[:1]) for key in part]))
        else:
            found: list[int] = []
            for key in part:
                if key[1:size] in heads:
                    number = int.from_bytes(key[1:].ljust(width, b"\0") + key[:1])
                    root = bisect_right(firsts, number >> 8) - 1
                    if root >= 0 and number >> 8 <= lasts[root] and key[0] > lengths[root]:
                        found.append(number)
            found.sort()
            runs.append(found)
        yield


def _heads(family: Family, roots: _Roots) -> Generator[None, None, tuple[frozenset[bytes], int]]:
    """Return the first octets that a key inside the roots can have, and where they end in a key.

    As many octets as tell most apart: two to four, as long as there are no more than ``MOST_HEADS`` beginnings.
    """
    octets = 4
    while octets > 2 and sum(1 << max(0, 8 * octets - length) for length in roots.length) > MOST_HEADS:
        octets -= 1
    heads: set[bytes] = set()
    shift = family.bits - 8 * octets
    for number, (first, last) in enumerate(zip(roots.first, roots.last, strict=True)):
        heads.update([head.to_bytes(octets) for head in range(first >> shift, (last >> shift) + 1)])
        if not number % SLICE:
            yield
    # Keys of few bits have fewer octets.
    short = {head[:size] for size in range(1, octets) for head in heads}
    return frozenset(heads | short), octets + 1


def in_order(runs: Sequence[list[int]]) -> Iterator[list[int]]:
    """Yield all numbers of sorted runs in order, in parts of about ``SLICE``."""
    total = sum(map(len, runs))
    longest = max(runs, key=len, default=[])
    stride = max(1, SLICE * len(longest) // max(total, 1))
    position = [0] * len(runs)
    for at in range(stride, len(longest) + stride, stride):
        part: list[int] = []
        for index, run in enumerate(runs):
            end = bisect_left(run, longest[at], position[index]) if at < len(longest) else len(run)
            part += run[position[index] : end]
            position[index] = end
        part.sort()
        yield part


def _in_runs(numbers: Iterable[int]) -> Generator[None, None, list[list[int]]]:
    runs: list[list[int]] = []
    iterator = iter(numbers)
    while run := sorted(islice(iterator, SLICE)):
        runs.append(run)
        yield
    return runs


class Uncovered(NamedTuple):
    """What is left of each target: how many addresses, and (only for those asked for) which."""

    sizes: dict[int, int]
    ranges: dict[int, list[Range]]


def uncovered(
    family: Family, targets: Collection[int], sources: Sequence[Collection[PrefixKey]], exactly: Container[int]
) -> Generator[None, None, Uncovered]:
    """Return what no prefix of *sources* and no other target covers of each target; *exactly* are those to give ranges for.

    *targets* is a set, or something else with a quick look-up.
    """
    own = yield from _in_runs(targets)
    runs = yield from inside(family, own, sources)
    runs += own
    sizes: dict[int, int] = {}
    ranges: dict[int, list[Range]] = {}
    cursors: dict[int, int] = {}
    stack: list[tuple[int, int]] = []  # last address, and the number
    latest, quiet_until = -1, -1
    for part in in_order(runs):
        for number in part:
            # Below a prefix that is no target, only targets matter: it covers all the rest already.
            if (number >> 8 <= quiet_until and number not in targets) or number == latest:
                continue
            first, last = range_of(family, number)
            while stack and stack[-1][0] < first:
                stack.pop()
            if stack and stack[-1][1] in sizes:
                parent = stack[-1][1]
                sizes[parent] -= last - first + 1
                if parent in ranges:
                    if cursors[parent] < first:
                        ranges[parent].append((cursors[parent], first - 1))
                    cursors[parent] = last + 1
            stack.append((last, number))
            latest, quiet_until = number, last
            if number in targets:
                quiet_until = -1
                sizes[number] = last - first + 1
                if number in exactly:
                    ranges[number], cursors[number] = [], first
        yield
    for number, cursor in cursors.items():
        last = range_of(family, number)[1]
        if cursor <= last:
            ranges[number].append((cursor, last))
    return Uncovered(sizes, ranges)


Hops = tuple[NextHop, ...]


def differing(
    whole: Range, base: Hops, specifics: Iterable[tuple[Range, Hops]], ranges: Sequence[Range], hops: Hops
) -> int:
    """Return how many addresses of *ranges* have other next hops than *hops*.

    Next hops are *base* all over *whole*, but for *specifics*: nested ranges within it, in order, covering ones first.
    """
    pieces: list[tuple[int, int, Hops]] = []
    stack = [(whole[1], base)]
    cursor = whole[0]
    for (first, last), value in specifics:
        while stack[-1][0] < first:
            end, above = stack.pop()
            if cursor <= end:
                pieces.append((cursor, end, above))
                cursor = end + 1
        if cursor < first:
            pieces.append((cursor, first - 1, stack[-1][1]))
            cursor = first
        stack.append((last, value))
    while stack:
        end, above = stack.pop()
        if cursor <= end:
            pieces.append((cursor, end, above))
            cursor = end + 1
    total = at = 0
    for first, last, value in pieces:
        while at < len(ranges) and ranges[at][1] < first:
            at += 1
        if value == hops:
            continue
        look = at
        while look < len(ranges) and ranges[look][0] <= last:
            total += min(last, ranges[look][1]) - max(first, ranges[look][0]) + 1
            look += 1
    return total
