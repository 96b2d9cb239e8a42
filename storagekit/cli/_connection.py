"""How a command reaches its services: what ``--profile``, ``--endpoint-url`` and ``--region`` say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storagekit.cli._uri import Remote
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from storagekit.client import StorageClient


@dataclass(frozen=True)
class Connection:
    """The options of that name; what is None is left to the environment, the profile or the default."""

    profile: str | None = None
    endpoint_url: str | None = None
    region: str | None = None

    def client_to_delete(self, remote: Remote) -> StorageClient:
        """Return the client for a command that deletes many things: it must be the one that the user thinks of.

        Raises ConfigurationError where the environment counts instead of something that ``--profile`` says.
        """
        from storagekit._profiles import load
        from storagekit.config import configure, overruled
        from storagekit.plugins import Registry

        arguments = {"endpoint": self.endpoint_url, "region": self.region}
        profile = load(self.profile, os.environ)
        found = configure(Registry.create().find, profile, os.environ, backend=remote.backend, arguments=arguments)
        if disputed := overruled(found.profile, found.settings):
            raise ConfigurationError(
                f"{', '.join(value.origin for value in disputed)} would count, not {found.profile}",
                hint="Unset it first: this deletes, and it has to be clear where",
            )
        return self.client(remote)

    def client(self, remote: Remote, **more: Any) -> StorageClient:
        """Return the client of ``remote``'s backend and bucket. Raises ConfigurationError."""
        from storagekit.client import StorageClient

        return StorageClient(
            remote.backend,
            remote.bucket or None,
            profile=self.profile,
            endpoint=self.endpoint_url,
            region=self.region,
            **more,
        )
