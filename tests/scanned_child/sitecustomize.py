"""Python imports this at the start of every process that a test starts: its log records go into the scan's file.

``tests/secrets_scan.py`` puts this directory on the child's PYTHONPATH, and names the file. One write per record, so
that children may share the file and one that is killed has written all that it logged. What it hides runs, too.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import logging
import os
import sys
from contextlib import suppress

if os.environ.get("SECRETS_SCAN_LOG"):
    from every_record import text_of, watch  # type: ignore[import-not-found]  # beside this file, which is on the path

    _file = os.open(os.environ["SECRETS_SCAN_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _write(record: logging.LogRecord) -> None:
        text = f"{record.name}\t{text_of(record)}\0"
        with suppress(OSError):  # EFBIG, in the two tests that limit the size of files
            os.write(_file, text.encode("utf-8", "backslashreplace"))

    watch(_write)

_behind = sys.path[sys.path.index(os.path.dirname(__file__)) + 1 :]  # noqa: PTH120
_hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", _behind)
if _hidden is not None and _hidden.loader is not None:
    _hidden.loader.exec_module(importlib.util.module_from_spec(_hidden))
