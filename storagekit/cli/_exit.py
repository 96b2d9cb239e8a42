"""The exit codes.

0 done    1 other failure, or some objects failed    2 usage or configuration, http and https mixed up
3 not found    4 permission or credentials    5 network or service, after retries; a certificate not accepted
6 integrity: source changed, truncated, checksum    130 interrupted
141 the reader of standard output went away, as a shell says of programs that SIGPIPE ends
"""

from __future__ import annotations

from storagekit import errors

OTHER, USAGE, NOT_FOUND, PERMISSION, SERVICE, INTEGRITY, INTERRUPTED, PIPE = 1, 2, 3, 4, 5, 6, 130, 141

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.ConfigurationError, USAGE),
    (errors.UploadGoneError, SERVICE),
    (FileNotFoundError, NOT_FOUND),
    (PermissionError, PERMISSION),
    (ConnectionError, SERVICE),
    (errors.IntegrityError, INTEGRITY),
    (KeyboardInterrupt, INTERRUPTED),
    (errors.TransferCancelled, INTERRUPTED),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error: the first class of the table that it is of."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), OTHER)
