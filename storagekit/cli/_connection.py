"""How a command reaches its services: what ``--profile``, ``--endpoint-url`` and ``--region`` say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storagekit.cli._uri import Remote

if TYPE_CHECKING:
    from storagekit.client import StorageClient


@dataclass(frozen=True)
class Connection:
    """The options of that name; what is None is left to the environment, the profile or the default."""

    profile: str | None = None
    endpoint_url: str | None = None
    region: str | None = None

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
