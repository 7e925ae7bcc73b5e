"""``make bench``: needs root, gobgpd and BIRD; works in network namespaces of its own."""

import argparse
import asyncio

from bench.full_table import compare


async def main() -> None:
    """Measure each generation of gobgpd that was asked for, beside BIRD, in one run."""
    parser = argparse.ArgumentParser(prog="make bench", description="a router's full table to the kernel")
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--gobgpd", nargs="*", default=["3.10", "3.36", "4.8"])
    asked = parser.parse_args()
    async for line in compare(asked.gobgpd, asked.routes):
        print(line, flush=True)


asyncio.run(main())
