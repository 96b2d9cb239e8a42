"""``Emulator``: a service on a port of this machine."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from storagekit.driver import Driver, Limits
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.emulator.accounts import Account, as_accounts
from storagekit.testing.emulator.listener import Handler, Service
from storagekit.testing.emulator.obs.service import ObsService
from storagekit.testing.emulator.obs.store import Store
from storagekit.testing.http_source.listener import Listener

if TYPE_CHECKING:
    from typing_extensions import Self

ACCESS_KEY, SECRET_KEY = "storagekit-access", "storagekit-secret-for-tests-only"
"""The account that there is where none is given."""

LIMITS = Limits(min_part=100 * 1024, checksum="crc64", complete_order="initiation")
"""OBS's: parts of 100 KB to 5 GB, keys of 1,024 bytes; the emulator enforces them with any driver."""


@dataclass(frozen=True)
class Settings:
    """What may be asked of an emulator besides its arguments.

    ``region`` is where buckets are made that name no other; ``v4_region``, where given, is the only region that a V4
    signature may name. ``min_part`` is the least size of a part but the last, in bytes. A connection that says
    nothing for ``idle_s`` is closed; in the middle of a body it is answered with RequestTimeout.
    """

    region: str = "region-1"
    v4_region: str | None = None
    min_part: int = LIMITS.min_part
    idle_s: float = 60.0


class Emulator:
    """A service that listens from ``start`` (or ``with``) to ``close``.

    Args:
        vendor: which service: ``obs``.
        driver: what keeps the data; a new ``MemoryDriver`` by default. It is left open at the end.
        accounts: secrets, or ``Account``s, by access key; by default one key, ``emulator.access_key``.
        domain: the name of the endpoint; buckets are the names right below it.
        tls: the server's context, for https.
        clock: gives the time in seconds since the epoch: what dates and expiries are compared with.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        settings: what else there is.
    """

    def __init__(
        self,
        vendor: str = "obs",
        driver: Driver | None = None,
        accounts: Mapping[str, str | Account] | None = None,
        *,
        domain: str | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
    ) -> None:
        if vendor not in VENDORS:
            raise ValueError(f"no emulator of {vendor!r}; there is {', '.join(VENDORS)}")
        self.driver = driver or MemoryDriver(LIMITS, now=lambda: datetime.fromtimestamp(clock(), timezone.utc))
        self.accounts = as_accounts({ACCESS_KEY: SECRET_KEY} if accounts is None else accounts)
        self.domain = domain or f"{vendor}.test"
        self.host = host
        self._vendor, self._tls, self._clock, self._port = vendor, tls, clock, port
        self._settings = settings or Settings()
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._port

    @property
    def scheme(self) -> str:
        """``http``, or ``https`` with TLS."""
        return "https" if self._tls is not None else "http"

    @property
    def endpoint(self) -> str:
        """The endpoint by its name; buckets are virtual hosts below it. Somebody has to resolve it: ``resolving``."""
        return f"{self.scheme}://{self.domain}:{self.port}"

    @property
    def address(self) -> str:
        """The endpoint by its address, where the path names the bucket."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def access_key(self) -> str:
        """The first access key."""
        return next(iter(self.accounts))

    @property
    def secret_key(self) -> str:
        """The secret of the first access key."""
        return self.accounts[self.access_key].secret_key

    def start(self) -> Self:
        """Listen and serve in background threads."""
        service = VENDORS[self._vendor](self, self._settings, self._clock)
        handler = partial(Handler, service, self._tls, self._settings.idle_s)
        self._listener = Listener((self.host, self._port), handler)
        self._port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self) -> None:
        """Stop listening, cut what is connected, wait for the threads. Closing twice is closing once."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _obs(emulator: Emulator, settings: Settings, clock: Callable[[], float]) -> Service:
    store = Store(
        emulator.driver,
        clock=clock,
        region=settings.region,
        domain=emulator.domain,
        scheme=emulator.scheme,
        min_part=settings.min_part,
    )
    return ObsService(store, emulator.accounts, v4_region=settings.v4_region)


VENDORS: Mapping[str, Callable[[Emulator, Settings, Callable[[], float]], Service]] = {"obs": _obs}
"""What makes the service of each vendor."""
