"""What real servers do otherwise, as a table: made of what the conformance suite is told of each of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from storagekit.driver import Limits
from storagekit.testing.conformance import Harness
from tests.conformance.servers import SERVERS, Declared

NAMES = {"minio": "MinIO", "swift": "Swift", "moto": "moto", "rclone": "rclone", "rgw": "Ceph RGW"}


def table() -> str:
    """Return one row for each parameter in which not all servers are alike."""
    limits = [_row("Limits", each.name, _limit(each.name)) for each in fields(Limits)]
    harness = [_row("Harness", each.name, _difference(each.name, each.default)) for each in fields(Harness)]
    head = ["| declared in | name | " + " | ".join(NAMES[name] for name in SERVERS) + " |", "|---" * 7 + "|"]
    return "\n".join([*head, *filter(None, limits), *filter(None, harness)])


def _limit(name: str) -> Callable[[Declared], object]:
    return lambda declared: getattr(declared.limits, name)


def _difference(name: str, default: object) -> Callable[[Declared], object]:
    return lambda declared: declared.differences.get(name, default)


def _row(where: str, name: str, value: Callable[[Declared], object]) -> str:
    """Return the row; nothing where all are alike."""
    cells = [_shown(value(declared)) for declared in SERVERS.values()]
    return f"| `{where}` | `{name}` | {' | '.join(cells)} |" if len(set(cells)) > 1 else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, frozenset):
        return ", ".join(f"`{each}`" for each in sorted(value)) or "none"
    if isinstance(value, (int, float)):
        return f"{value:,.0f}"
    return str(value) if value is not None else "none"
