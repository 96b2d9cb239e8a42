"""Whose certificates an HTTP source may have: those of the authorities in one file, else of certifi's list.

SSL_CERT_FILE is what the backends read, so that one variable serves both the service and the source. ``requests`` reads
two variables by itself, which come before it here, too: they are for who needs other authorities for sources alone.
There is no way to accept a certificate unseen, and an empty variable is one that is not set.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storagekit.errors import ConfigurationError

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The first that is set names the file, or a directory as ``openssl rehash`` makes it."""


@dataclass(frozen=True)
class Authorities:
    """A file of authorities, and the variable that names it; both empty for certifi's list."""

    variable: str = ""
    path: str = ""

    def check(self) -> None:
        """Raise ConfigurationError where the file cannot be read: ``requests`` would call it a broken connection."""
        if not self.path or Path(self.path).is_dir():
            return
        try:
            ssl.create_default_context(cafile=self.path)
        except OSError as error:  # no such file, or (ssl.SSLError) no certificate in it
            raise ConfigurationError(
                f"the certificate authorities in {self.path!r} cannot be read: {error.strerror or error}",
                hint=f"Correct {self.variable}",
            ) from error


def authorities(environment: Mapping[str, str]) -> Authorities:
    """Return what the environment names."""
    return next((Authorities(name, environment[name]) for name in VARIABLES if environment.get(name)), Authorities())
