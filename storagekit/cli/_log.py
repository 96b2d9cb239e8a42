"""Log lines on standard error, without what must not be shown."""

from __future__ import annotations

import logging
import re

from storagekit.errors import ConfigurationError

LEVELS = ("debug", "info", "warning", "error")

_QUERY = re.compile(r"\?[^\s'\")]+")


class _Redacting(logging.Formatter):
    """Cuts the query off every URL: tracebacks of HTTP libraries show signed ones whole."""

    def format(self, record: logging.LogRecord) -> str:
        return _QUERY.sub("?...", super().format(record))


def set_log_level(name: str) -> None:
    """Send storagekit's log lines of at least this level to standard error; not urllib3's, which show signed URLs.

    Raises ConfigurationError for a level that does not exist.
    """
    if name.lower() not in LEVELS:
        raise ConfigurationError(f"unknown log level {name!r}", hint=f"Use {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("storagekit")
    log.handlers[:] = [handler]
    log.setLevel(name.upper())
