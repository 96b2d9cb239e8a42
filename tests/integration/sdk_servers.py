"""The emulators that a vendor's SDK is let loose on: one in the clear and one by TLS, who may sign, and with what."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storagekit.testing.emulator import Account, Emulator, Settings
from storagekit.testing.tls import Authority

OWNER, GUEST = "OWNERKEY000000000001", "GUESTKEY000000000001"
SECRETS = {OWNER: secrets.token_hex(20), GUEST: secrets.token_hex(20)}
TOKEN = f"{secrets.token_urlsafe(40)}+/="
"""The guest's."""


@dataclass(frozen=True)
class Servers:
    """Both of one kind; `ca_file` is the authority of the one that speaks TLS."""

    plain: Emulator
    tls: Emulator
    ca_file: str


@contextmanager
def both(vendor: str, domain: str, directory: Path, settings: Settings | None = None) -> Iterator[Servers]:
    """They run inside the block."""
    accounts: dict[str, str | Account] = {OWNER: SECRETS[OWNER], GUEST: Account(SECRETS[GUEST], token=TOKEN)}
    authority = Authority()
    certificate = authority.issue(domain, f"*.{domain}", "127.0.0.1").context()
    ca_file = authority.write(directory / "ca.pem")
    with (
        Emulator(vendor, accounts=accounts, domain=domain, settings=settings) as plain,
        Emulator(vendor, accounts=accounts, domain=domain, settings=settings, tls=certificate) as tls,
    ):
        yield Servers(plain, tls, ca_file)
