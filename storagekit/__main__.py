"""``python -m storagekit``: the same as the command ``storagekit``."""

from __future__ import annotations

from storagekit.cli.main import main

main()
