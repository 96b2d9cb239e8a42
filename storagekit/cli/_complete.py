"""What a shell offers when Tab is pressed after an option.

Shells ask by running the program, so nothing is read from a service here, and nothing is printed or raised.
"""

from __future__ import annotations

from storagekit.cli._log import LEVELS


def complete_log_level(incomplete: str) -> list[str]:
    """Return the log levels that begin so."""
    return [level for level in LEVELS if level.startswith(incomplete)]


def complete_profile(incomplete: str) -> list[str]:
    """Return the profiles that begin so, of the configuration file and of other tools; none if a file is no good."""
    try:
        import os

        from storagekit._profiles import names

        return [name for name in names(os.environ) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001  # a shell that asks for words has no use for an error
        return []
