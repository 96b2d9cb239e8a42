"""Run the cases, print what was expected and what was seen, and fail unless all hold."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from storagekit.cli._exit import exit_code
from storagekit.testing.hostile.running import holds, run_case
from storagekit.testing.hostile.table import CASES


def main(names: Sequence[str]) -> int:
    """Run the named cases, or all; 0 when all hold."""
    chosen = [case for case in CASES if not names or case.name in names]
    failed = 0
    print(f"{'case':32} {'expected':34} {'seen':60} ok")
    for case in chosen:
        seen = run_case(case, exit_code)
        good = holds(case, seen)
        failed += not good
        print(f"{case.name:32} {case.expected!s:34} {seen!s:60} {'yes' if good else 'NO'}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} hold")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
