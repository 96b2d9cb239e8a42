"""What a shell offers when Tab is pressed after an option.

Shells ask by running the program, so nothing is read from a service here, and nothing is printed or raised.
"""

from __future__ import annotations

from storagekit.cli._log import LEVELS


def complete_log_level(incomplete: str) -> list[str]:
    """Return the log levels that begin so."""
    return [level for level in LEVELS if level.startswith(incomplete)]


def complete_profile(incomplete: str) -> list[str]:
    """Return the profiles of the configuration file that begin so."""
    names: list[str] = []
    return [name for name in names if name.startswith(incomplete)]
