"""Host names without DNS: a domain and everything below it become loopback, in this process or in a child.

``*.test`` names resolve nowhere (RFC 2606), so nothing that runs by mistake reaches a real service.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "STORAGEKIT_LOOPBACK_DOMAINS"
"""Domains that the child's ``sitecustomize`` resolves, separated by spaces."""

_LOOPBACK = "127.0.0.1"
_CHILD = Path(__file__).with_name("child")


@contextmanager
def resolving(domain: str, address: str = _LOOPBACK) -> Iterator[None]:
    """Resolve ``domain`` and ``*.domain`` to ``address`` in this process, whoever asks ``socket.getaddrinfo``.

    Calls may be nested; each one takes away, at its end, what it added.
    """
    before = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
        return before(address if is_below(host, domain) else host, *args, **named)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = before


def is_below(host: object, domain: str) -> bool:
    """Tell whether a host is the domain, or lies below it."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return isinstance(text, str) and (text.lower() == domain or text.lower().endswith(f".{domain}"))


def resolving_environment(domain: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``environment`` (this process's) with which a child that is a Python resolves ``*.domain`` to loopback.

    A directory with a ``sitecustomize.py`` is put in front of PYTHONPATH; one that was found without it runs, too.

    >>> subprocess.run(["storagekit", "cp", ...], env=resolving_environment("obs.test"))
    """
    given = dict(os.environ if environment is None else environment)
    domains = [*given.get(VARIABLE, "").split(), domain]
    path = [str(_CHILD), *filter(None, [given.get("PYTHONPATH")])]
    return {**given, VARIABLE: " ".join(dict.fromkeys(domains)), "PYTHONPATH": os.pathsep.join(path)}
