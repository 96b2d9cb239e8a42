"""``Emulator``: a service on a port of this machine."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from storagekit.driver import Driver, Limits
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.emulator.accounts import Account, as_accounts
from storagekit.testing.emulator.listener import Handler, Service
from storagekit.testing.emulator.obs.service import ObsService
from storagekit.testing.emulator.operations.store import Store
from storagekit.testing.emulator.oss.service import OssService, Rules
from storagekit.testing.emulator.oss.signature import Policy
from storagekit.testing.emulator.oss.words import THROTTLING
from storagekit.testing.emulator.request import Request
from storagekit.testing.emulator.service import Admission
from storagekit.testing.emulator.throttle import Throttle
from storagekit.testing.http_source.listener import Listener

if TYPE_CHECKING:
    from typing_extensions import Self

ACCESS_KEY, SECRET_KEY = "storagekit-access", "storagekit-secret-for-tests-only"
"""The account that there is where none is given."""

LIMITS = Limits(min_part=100 * 1024, checksum="crc64", complete_order="initiation")
"""OBS's: parts of 100 KB to 5 GB, keys of 1,024 bytes; the emulator enforces them with any driver."""

LIMITS_OF_OSS = Limits(min_part=100 * 1024, checksum="crc64", max_key_bytes=1023)
"""OSS's: as OBS's, but for keys, and of two completes of one key the last one wins."""


@dataclass(frozen=True)
class Settings:
    """What may be asked of an emulator besides its arguments.

    ``region`` is where buckets are made that name no other; ``v4_region``, where given, is the only region that a V4
    signature may name. ``min_part`` is the least size of a part but the last, in bytes. A connection that says
    nothing for ``idle_s`` is closed; in the middle of a body it is answered with RequestTimeout. Anybody may read
    ``public_buckets``.

    OSS only: ``signatures`` are those that are taken, of ``v1`` and ``v4``; ``cnames`` are domains of one's own, each
    with the bucket that it stands for.
    """

    region: str = "region-1"
    v4_region: str | None = None
    min_part: int = LIMITS.min_part
    idle_s: float = 60.0
    public_buckets: Collection[str] = frozenset()
    signatures: Collection[str] = ("v1", "v4")
    cnames: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Emulator:
    """A service that listens from ``start`` (or ``with``) to ``close``.

    Args:
        vendor: which service: ``obs`` or ``oss``.
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
        limits = LIMITS_OF_OSS if vendor == "oss" else LIMITS
        self.driver = driver or MemoryDriver(limits, now=lambda: datetime.fromtimestamp(clock(), timezone.utc))
        self.accounts = as_accounts({ACCESS_KEY: SECRET_KEY} if accounts is None else accounts)
        self.domain = domain or f"{vendor}.test"
        self.host = host
        self._vendor, self._tls, self._clock, self._port = vendor, tls, clock, port
        self._settings = settings or Settings()
        self._throttle = Throttle()
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

    @property
    def throttled(self) -> int:
        """How many requests were refused because of ``throttle``."""
        return self._throttle.refused

    def throttle(
        self,
        count: int,
        code: str | None = None,
        *,
        delay_ms: int | None = None,
        when: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        """Refuse the next ``count`` requests with 503, or of those that come the next for which ``when`` is true.

        ``code`` is ServiceUnavailable, or of OSS one of TotalQpsLimitExceeded (without a code), UploadTrafficRate-,
        DownloadTrafficRate- and MetaOperationQpsLimitExceeded. OSS says ``delay_ms`` as ``x-oss-qos-delay-time``.
        """
        default = "TotalQpsLimitExceeded" if self._vendor == "oss" else "ServiceUnavailable"
        known = {"ServiceUnavailable", *(THROTTLING if self._vendor == "oss" else ())}
        if (code or default) not in known:
            raise ValueError(f"{code} is no code of a busy {self._vendor}; there is {', '.join(sorted(known))}")
        self._throttle.order(count, code or default, delay_ms, when)

    def start(self) -> Self:
        """Listen and serve in background threads."""
        admission = Admission(self.accounts, frozenset(self._settings.public_buckets), self._throttle)
        service = VENDORS[self._vendor](self._store(), admission, self._settings)
        handler = partial(Handler, service, self._tls, self._settings.idle_s)
        self._listener = Listener((self.host, self._port), handler)
        self._port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def _store(self) -> Store:
        region = self._settings.region
        return Store(
            self.driver,
            clock=self._clock,
            region=f"oss-{region}" if self._vendor == "oss" else region,
            domain=self.domain,
            scheme=self.scheme,
            min_part=self._settings.min_part,
        )

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


def _obs(store: Store, admission: Admission, settings: Settings) -> Service:
    return ObsService(store, admission, v4_region=settings.v4_region)


def _oss(store: Store, admission: Admission, settings: Settings) -> Service:
    return OssService(store, admission, Rules(Policy(settings.signatures, settings.v4_region), settings.cnames))


VENDORS: Mapping[str, Callable[[Store, Admission, Settings], Service]] = {"obs": _obs, "oss": _oss}
"""What makes the service of each vendor."""
