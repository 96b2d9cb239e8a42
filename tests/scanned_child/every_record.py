"""Shows every record of every logger to one function, whatever the levels are, and to nobody else.

Turning every logger to DEBUG instead would change what tests see: lines on standard error, ``caplog``. Here each logger
believes that every level is wanted, the function sees the record behind the logger's own filters, where handlers would
get it, and the handlers get what they would have got without it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable

_FORMAT = logging.Formatter("%(message)s")


def watch(see: Callable[[logging.LogRecord], None]) -> Callable[[], None]:
    """Begin; returns what ends it."""
    is_wanted, handle = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    def show(logger: logging.Logger, record: logging.LogRecord) -> None:
        see(record)
        if is_wanted(logger, record.levelno):
            handle(logger, record)

    def put(enabled: Callable[[logging.Logger, int], bool], call: Callable[..., None]) -> None:
        logging.Logger.isEnabledFor = enabled  # type: ignore[assignment,method-assign]  # that is the point
        logging.Logger.callHandlers = call  # type: ignore[method-assign]

    put(lambda logger, level: True, show)
    return lambda: put(is_wanted, handle)


def text_of(record: logging.LogRecord) -> str:
    """The line with its traceback, as a handler would write it; of a copy, because formatting leaves traces."""
    try:
        return _FORMAT.format(copy.copy(record))
    except Exception:  # noqa: BLE001  # arguments that do not fit: logging says so itself
        return f"{record.msg} {record.args}"
