"""``storagekit config check``: one real round trip, step by step, with a plain sentence for each failure.

    settings -> name -> connection -> tls -> http -> clock -> credentials -> bucket -> list
                                                                                    -> put -> get
                                                                                       put -> delete
                                                                                    -> parts

Each step has what it needs to the left of it. Where that has failed it is not tried, and says so; whatever else can
succeed is tried, so that one run shows every permission that is missing. A backend without an endpoint needs the
network's steps not. The steps up to the clock speak to the server without the driver (``_checkup/network.py``), the
rest goes through it (``_checkup/service.py``); what a failure means is decided by pure functions
(``_checkup/verdicts.py``, ``_checkup/refusals.py``). Secrets are in none of the sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from storagekit._checkup.finding import Finding, Status, Step, failed, not_needed, not_tried, ok, warning
from storagekit._checkup.network import Network
from storagekit._checkup.refusals import reworded
from storagekit._checkup.service import Service
from storagekit._checkup.subject import Subject
from storagekit.errors import PermissionDeniedError, StorageError

NEEDS: Mapping[str, str] = {
    "settings": "",
    "name": "settings",
    "connection": "name",
    "tls": "connection",
    "http": "tls",
    "clock": "http",
    "credentials": "clock",
    "bucket": "credentials",
    "list": "bucket",
    "put": "bucket",
    "get": "bucket",
    "delete": "bucket",
    "parts": "bucket",
}
"""The steps in their order, each with the one that it needs. ``get`` can tell something without an object, and
``delete`` knows whether there is one."""

_NETWORK = ("name", "connection", "tls", "http", "clock")

Run = Callable[[], Finding]


def examine(subject: Subject, now: Callable[[], float], token: str, environment: Mapping[str, str]) -> Iterator[Step]:
    """Yield the steps as they are done. ``now`` is this machine's time in seconds, ``token`` names the small object.

    Whoever stops in the middle leaves nothing behind, if deleting is possible.
    """
    service = Service(subject, token)
    try:
        yield from _in_order({**_network(subject, now, environment), **_through_driver(subject, service)})
    finally:
        service.clean_up()


def without_settings(error: StorageError) -> Iterator[Step]:
    """Yield the steps for a backend that could not be set up at all."""
    return _in_order({"settings": lambda: failed(error)})


def _in_order(runs: Mapping[str, Run]) -> Iterator[Step]:
    done: dict[str, Finding] = {}
    for name, needed in NEEDS.items():
        reason = _obstacle(needed, done.get(needed))
        done[name] = not_tried(reason) if reason else runs[name]()
        yield Step(name, done[name])


def _obstacle(needed: str, finding: Finding | None) -> str:
    """Return why a step cannot be tried; empty where it can."""
    if finding is not None and finding.status is Status.FAILED:
        return f"{needed} failed"
    return finding.sentence.partition(";")[0] if finding is not None and finding.status is Status.NOT_TRIED else ""


def _network(subject: Subject, now: Callable[[], float], environment: Mapping[str, str]) -> dict[str, Run]:
    address = subject.address
    if address is None:
        nothing = not_needed(f"the backend {subject.backend} has no web endpoint")
        return dict.fromkeys(_NETWORK, lambda: nothing)
    network = Network(address, subject.settings.get("ca_file"), now, environment)
    return {name: getattr(network, name) for name in _NETWORK}


def _through_driver(subject: Subject, service: Service) -> dict[str, Run]:
    return {
        "settings": lambda: _settings(subject),
        "credentials": service.credentials,
        "bucket": service.bucket,
        "list": service.list,
        "put": service.put,
        "get": service.get,
        "delete": service.delete,
        "parts": service.parts,
    }


def _settings(subject: Subject) -> Finding:
    name = "endpoint" if subject.settings.get("endpoint") else "root"
    where = f", {name} {subject.place}{subject.origin(name)}" if subject.place else ""
    sentence = f"backend {subject.backend}{where}"
    if subject.overruling:
        names = ", ".join(subject.overruling)
        return warning(f"{sentence}; {names} counts, not the profile", f"Unset {names}, if the profile is meant")
    return ok(sentence, backend=subject.backend, place=subject.place)


def verdict(steps: Sequence[Step]) -> StorageError | None:
    """Return what to raise for a checkup that is done: the error of the first step that failed, or None.

    A missing permission is named together with what is allowed.
    """
    error = next((step.finding.error for step in steps if step.finding.error is not None), None)
    works = [step.name for step in steps if step.name in ("list", "put", "get") and step.finding.status is Status.OK]
    if isinstance(error, PermissionDeniedError) and works:
        return reworded(error, f"{error.message}; {_enumerated(works)}", error.hint)
    return error


def _enumerated(works: Sequence[str]) -> str:
    *most, last = works
    return f"{', '.join(most)} and {last} work" if most else f"{last} works"
