"""Who may sign: access keys, their secrets, and what temporary ones have besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Accounts = Mapping[str, "Account"]
"""Accounts by access key."""


@dataclass(frozen=True)
class Account:
    """One access key's secret. Buckets belong to ``owner``; several keys may be of one.

    ``token`` makes the key a temporary one: every request has to bring it. ``expires`` is when it ends, in seconds
    since the epoch by the emulator's clock.
    """

    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None
    owner: str = "owner"


def as_accounts(given: Mapping[str, str | Account]) -> dict[str, Account]:
    """Return ``given`` with each plain secret as an account."""
    return {key: one if isinstance(one, Account) else Account(one) for key, one in given.items()}
