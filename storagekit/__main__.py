"""The command ``storagekit``, also as ``python -m storagekit``.

Ctrl-C while the command line is still being imported (0.3 s) ends as it does later: without a traceback, with 130.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from storagekit.cli.main import main as run

        run()
    except KeyboardInterrupt:  # a command has its own words for it; here it has not begun
        sys.exit(130)


if __name__ == "__main__":
    main()
