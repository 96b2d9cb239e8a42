"""The moments of an upload, by name: what to watch for in the S3 protocol, and in the files of the local backend.

The kinds are in the order in which they come in an upload. Some come only after an earlier kill: ``resume`` (the next
run asks for the parts of a recorded upload) and ``drop`` (it gives up one that was created but not recorded).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from storagekit.drivers._local_names import key_digest
from storagekit.testing.killing.plan import Moment
from storagekit.testing.killing.triggers import AfterBytes, AfterRequest, AfterSeconds, Trigger
from storagekit.testing.killing.watching import AfterChange
from storagekit.testing.proxy import (
    FaultProxy,
    Predicate,
    Request,
    TCPProxy,
    When,
    is_abort,
    is_any,
    is_complete,
    is_create_upload,
    is_list_parts,
    is_part,
    is_put_object,
    matches,
)

ANY_SIDE: tuple[When, ...] = ("before forward", "after forward, before answer", "after answer")
_STATE = r"/\.storagekit/"
_INTENT = r"/\.storagekit/.*\.intent\.json$"
_RECORD = r"/\.storagekit/(?!.*\.intent\.json$)"
_LOCAL_JITTER_SECONDS = 0.003  # a local request takes about a millisecond: where in it the kill lands is chance


@dataclass(frozen=True)
class Front:
    """The proxies between a transfer and its S3 server, and what it moves."""

    proxy: FaultProxy
    tcp: TCPProxy
    """In front of ``proxy``. Only ``bytes`` looks at it: the client must go through it for that."""
    size: int
    part_size: int
    seconds: float
    """How long the transfer takes if it is let, roughly."""


@dataclass(frozen=True)
class Folder:
    """The directory of a local bucket, and what a transfer moves into it."""

    path: Path
    key: str
    size: int
    seconds: float


_S3: TypeAlias = Callable[[Front, Moment], Trigger]
_Local: TypeAlias = Callable[[Folder, Moment], Trigger]


def _request(picks: Predicate, *sides: When) -> _S3:
    return lambda front, moment: AfterRequest(front.proxy, picks, 1, sides[moment.side % len(sides)])


def _between_parts(front: Front, moment: Moment) -> Trigger:
    if moment.side % 2:
        return AfterRequest(front.proxy, is_part(), moment.nth, "after answer")
    return AfterRequest(front.proxy, is_part(), moment.nth + 1, "before forward")


def _in_part(front: Front, moment: Moment) -> Trigger:
    after = int(moment.fraction * front.part_size)
    return AfterRequest(front.proxy, is_part(), moment.nth, "in the body", after)


def _single_put(front: Front, moment: Moment) -> Trigger:
    sides: tuple[When, ...] = (*ANY_SIDE, "in the body")
    side = sides[moment.side % len(sides)]
    return AfterRequest(front.proxy, _puts_the_object, 1, side, int(moment.fraction * front.size))


def _puts_the_object(request: Request) -> bool:
    return is_put_object()(request) and not matches("PUT", _STATE)(request)


_S3_TABLE: Mapping[str, _S3] = MappingProxyType(
    {
        "first request": _request(is_any(), *ANY_SIDE),
        "intent": _request(matches("PUT", _INTENT), *ANY_SIDE),
        "before create": _request(is_create_upload(), "before forward"),
        "created": _request(is_create_upload(), "after forward, before answer", "after answer"),
        "record": _request(matches("PUT", _RECORD), *ANY_SIDE),
        "intent gone": _request(matches("DELETE", _INTENT), *ANY_SIDE),
        "resume": _request(is_list_parts(), *ANY_SIDE),
        "any time": lambda front, moment: AfterSeconds(moment.fraction * front.seconds),
        "bytes": lambda front, moment: AfterBytes(front.tcp, int(moment.fraction * front.size)),
        "between parts": _between_parts,
        "in a part": _in_part,
        "part stored": lambda front, moment: AfterRequest(
            front.proxy, is_part(), moment.nth, "after forward, before answer"
        ),
        "before complete": _request(is_complete(), "before forward"),
        "lost complete": _request(is_complete(), "after forward, before answer"),
        "completed": _request(is_complete(), "after answer"),
        "clean-up": _request(matches("DELETE", _RECORD), *ANY_SIDE),
        "drop": _request(is_abort(), *ANY_SIDE),
        "single put": _single_put,
    }
)
S3_KINDS: tuple[str, ...] = tuple(_S3_TABLE)
"""Names of the moments of an upload to an S3 server."""


def s3_trigger(moment: Moment, front: Front) -> Trigger:
    """Return the trigger of a moment whose kind is one of ``S3_KINDS``."""
    return _S3_TABLE[moment.kind](front, moment)


def _change(pattern: str, *, nth: int = 1, vanishes: bool = False) -> _Local:
    """``nth`` 0 is the moment's own."""
    return lambda folder, moment: AfterChange(
        folder.path,
        pattern.replace("KEY", re.escape(folder.key)).replace("DIGEST", key_digest(folder.key)),
        nth or moment.nth,
        "vanishes" if vanishes else "appears",
        moment.fraction * _LOCAL_JITTER_SECONDS,
    )


def _in_local_part(folder: Folder, moment: Moment) -> Trigger:
    return AfterChange(folder.path, r"/data$", bytes_on_disk=int(moment.fraction * folder.size) + 1)


_LOCAL_TABLE: Mapping[str, _Local] = MappingProxyType(
    {
        "intent": _change(r"^\.storagekit/.*\.intent\.json$"),
        "before create": _change(r"^\.storagekit-local/tmp/[0-9a-f]{32}$"),
        "created": _change(r"/uploads/[0-9a-f]{32}/(upload\.json|data)$"),
        "record": _change(r"^\.storagekit/(?!.*\.intent\.json$).*\.json$"),
        "intent gone": _change(r"^\.storagekit/.*\.intent\.json$", vanishes=True),
        "any time": lambda folder, moment: AfterSeconds(moment.fraction * folder.seconds),
        "in a part": _in_local_part,
        "part stored": _change(r"/\d+\.part$", nth=0),
        "completing": _change(r"^\.storagekit-local/meta/DIGEST/"),
        "completed": _change(r"^KEY$"),
        "clean-up": _change(r"^\.storagekit/(?!.*\.intent\.json$).*\.json$", vanishes=True),
        # The first two that vanish are those of the upload that was completed.
        "drop": _change(r"/uploads/[0-9a-f]{32}/(upload\.json|data)$", vanishes=True, nth=3),
        "single put": _change(r"^(\.storagekit-local/(tmp/DIGEST|meta/DIGEST/)|KEY$)", nth=0),
    }
)
LOCAL_KINDS: tuple[str, ...] = tuple(_LOCAL_TABLE)
"""Names of the moments of an upload to the local backend."""


def local_trigger(moment: Moment, folder: Folder) -> Trigger:
    """Return the trigger of a moment whose kind is one of ``LOCAL_KINDS``."""
    return _LOCAL_TABLE[moment.kind](folder, moment)
