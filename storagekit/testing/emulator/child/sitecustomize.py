"""Runs at the start of a child of ``resolving_environment``: the domains of a variable become loopback.

It stands in front of the path and hides the ``sitecustomize`` behind it; that one is run first. No module of
storagekit is imported: the child may be any Python.
"""
# ruff: noqa: INP001  # a directory of PYTHONPATH, no package

import importlib.machinery
import importlib.util
import os
import socket
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # every start pays for pathlib


def _run_hidden() -> None:
    path = [os.path.abspath(entry or os.curdir) for entry in sys.path]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path[path.index(_HERE) + 1 :])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _resolve(domains: "list[str]") -> None:
    before = socket.getaddrinfo

    def getaddrinfo(host, *args, **named):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN003, ANN202
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        below = isinstance(text, str) and any(f".{text.lower()}".endswith(f".{domain}") for domain in domains)
        return before("127.0.0.1" if below else host, *args, **named)

    socket.getaddrinfo = getaddrinfo


_run_hidden()
_resolve(os.environ.get("STORAGEKIT_LOOPBACK_DOMAINS", "").split())
