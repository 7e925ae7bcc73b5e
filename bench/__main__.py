"""``make bench``: needs root, gobgpd and BIRD, but for what says that it does not; works in network namespaces of its own."""

import argparse
import asyncio

from bench.decoder import decoder
from bench.full_table import compare
from bench.source import source
from bench.terminal import terminal

WHAT = {
    "full-table": "a router's full table to the kernel: gobgpd alone, bgpmon over gRPC and over BMP, BIRD (100,000 routes)",
    "source": "a source alone, without an engine: gobgpd over gRPC, and gobgpd, FRR and BIRD over BMP (500,000 paths)",
    "decoder": "the BMP decoder alone, in memory; needs neither root nor a speaker (500,000 paths)",
    "terminal": "the terminal UI on a pseudo terminal, and its daemon, all in memory; needs no root (1,000,000 routes)",
}


async def main() -> None:
    """Measure what was asked for; what is compared is measured in one run."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="What bgpmon costs.",
        epilog="\n".join(f"{name:12}{words}" for name, words in WHAT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--what", choices=WHAT, default="full-table", help="see below (default: %(default)s)")
    parser.add_argument("--routes", type=int, help="how many instead")
    parser.add_argument("--gobgpd", nargs="*", default=["3.10", "3.36", "4.8"], help="generations to measure")
    asked = parser.parse_args()
    if asked.what == "decoder":
        for line in decoder(asked.routes or 500_000):
            print(line, flush=True)
        return
    if asked.what == "terminal":
        lines = terminal(asked.routes or 1_000_000)
    elif asked.what == "source":
        lines = source(asked.gobgpd, asked.routes or 500_000)
    else:
        lines = compare(asked.gobgpd, asked.routes or 100_000)
    async for line in lines:
        print(line, flush=True)


asyncio.run(main())
