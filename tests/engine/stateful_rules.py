"""What must be true: the model of the stateful test. Each rule yields a sentence where it is broken.

An error has to be explained: by something that happened, by a promise that was a lie, by a limit that was known before.
A run to which nothing happened but what a retry gets over has to succeed, whatever earlier runs left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from storagekit import _metadata
from storagekit._plan import Plan, plan_parts, plan_stream, reach
from storagekit._resume import ABANDONED, IDLE
from storagekit._source import Access
from storagekit.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    ObjectNotFoundError,
    ServiceError,
    SourceChangedError,
    StorageError,
    TransferCancelled,
    UploadGoneError,
)
from storagekit.types import UploadResult
from tests.engine.stateful_attempt import ENDLESS, Attempt, Killed
from tests.engine.stateful_plans import KEYS, PERMANENT, Run
from tests.engine.stateful_service import BUCKET
from tests.engine.stateful_sources import Broke

if TYPE_CHECKING:
    from storagekit._record import Record
    from tests.engine.stateful_world import World

_OTHERS = {"foreign_put", "nested", "change"}
_PERMANENT = {code.value for code in PERMANENT}


def of_context(plan: Run, first: Run) -> Run:
    """Return the plan of a second phase: what the first one decided stays."""
    return replace(plan, kind="iterator", key=first.key, named=first.named, overwrite=True, restart=False)


def always(world: World) -> Iterator[str]:
    """Yield what is wrong with the world after a step."""
    for name, (key, parts) in world.foreign.items():
        if world.service.uploads(key).get(name) != parts:
            yield f"the upload {name} of another tool was touched"
    for key in KEYS:
        data = world.service.object(key)
        if data is not None and data not in world.whole:
            yield f"the object at {key} is no whole version of anything: {len(data)} bytes"
    stray = set(world.service.store.buckets[BUCKET].keys) - set(KEYS)
    if any(not key.startswith(".storagekit/uploads/") for key in stray):
        yield f"there are objects that nobody wrote: {stray}"


def judge(world: World, attempt: Attempt) -> Iterator[str]:
    """Yield what is wrong with a run that has ended."""
    if attempt.plan.kind == "object":
        attempt.allowed |= _versions_of_the_source(world, attempt)
    if attempt.plan.kind == "file":
        attempt.allowed.add(world.files[attempt.plan.place])
    yield from _memory(attempt)
    yield from _published(attempt)
    yield from _sent_again(world, attempt)
    if attempt.error is not None:
        if not _is_explained(world, attempt, attempt.error):
            yield f"unexplained {attempt.error!r}"
    elif isinstance(attempt.result, UploadResult):
        yield from _success(world, attempt, attempt.result)


def _versions_of_the_source(world: World, attempt: Attempt) -> set[bytes]:
    """An object that is copied may be replaced meanwhile: any of its versions will do, as long as it is whole."""
    if attempt.happened & _OTHERS or attempt.depth:
        return {data for data in world.whole if data is not None}
    return set()


def _memory(attempt: Attempt) -> Iterator[str]:
    if attempt.window.excess:
        yield f"more memory than the budget: {attempt.window.excess}"
    if attempt.window.in_use or attempt.window.out:
        yield f"{attempt.window.in_use} bytes of memory were not given back"


def _published(attempt: Attempt) -> Iterator[str]:
    for data in attempt.witness.published:
        if data not in attempt.allowed:
            yield f"published {len(data)} bytes that are no whole version of its source"
    faulty = [event for event in attempt.fired if event.is_fault]
    doubtful = (IntegrityError, ConfigurationError, ConflictError, Broke)
    if attempt.witness.published and isinstance(attempt.error, doubtful) and not faulty:
        yield "published something although it failed"


def _sent_again(world: World, attempt: Attempt) -> Iterator[str]:
    opaque = world.start.manners.opaque and attempt.in_order
    if attempt.witness.again and not opaque:
        yield f"sent parts again that were there: {attempt.witness.again}"


# errors


def _is_explained(world: World, attempt: Attempt, error: BaseException) -> bool:
    if isinstance(error, Killed):
        return attempt.dead
    if isinstance(error, KeyboardInterrupt):
        return "interrupt" in attempt.happened
    if isinstance(error, Broke):
        return attempt.trouble is not None and attempt.trouble.kind == "breaks"
    return isinstance(error, StorageError) and any(rule(world, attempt, error) for rule in _EXPLANATIONS)


def _by_a_fault(world: World, attempt: Attempt, error: StorageError) -> bool:
    return error.code in attempt.happened and (error.code in _PERMANENT or attempt.incidents >= 8)


def _by_the_caller(world: World, attempt: Attempt, error: StorageError) -> bool:
    if isinstance(error, TransferCancelled):
        return "cancel" in attempt.happened
    if isinstance(error, ObjectNotFoundError):
        return attempt.plan.kind == "object" and attempt.data is None
    if isinstance(error, ConflictError):
        others = attempt.happened & _OTHERS
        return not attempt.plan.overwrite and (attempt.at_start is not None or bool(others))
    return isinstance(error, IntegrityError) and attempt.plan.lie and bool(attempt.plan.promise)


def _by_the_source(world: World, attempt: Attempt, error: StorageError) -> bool:
    trouble = attempt.trouble.kind if attempt.trouble else None
    if isinstance(error, SourceChangedError) and attempt.plan.kind == "object":
        replaced = attempt.happened & _OTHERS
        onto_itself = KEYS[attempt.plan.place] == attempt.plan.key and attempt.incidents
        return bool(replaced or onto_itself)
    if isinstance(error, IntegrityError) and attempt.plan.kind == "file":
        return "change" in attempt.happened
    if isinstance(error, IntegrityError):
        return trouble in ("ends", "changes")
    broke = isinstance(error, ServiceError) and error.context.operation in (None, "upload")
    return broke and trouble == "breaks"


def _by_a_limit(world: World, attempt: Attempt, error: StorageError) -> bool:
    if not isinstance(error, ConfigurationError):
        return False
    if attempt.stale:
        return True
    return any(_is_beyond(world, attempt, plan) for plan in _plans(world, attempt))


def _plans(world: World, attempt: Attempt) -> list[Plan]:
    """Return the plans that a run may follow: its own, or that of a record."""
    own = _own_plan(world, attempt)
    return [own, *(record.plan for record in attempt.known_at_start)]


def _own_plan(world: World, attempt: Attempt) -> Plan:
    limits, size = world.service.limits, len(attempt.data or b"")
    wanted = world.part_size(attempt.plan)
    if attempt.plan.kind in ENDLESS and "size" not in attempt.plan.promise:
        return plan_stream(limits, wanted, attempt.window.budget)
    return plan_parts(size, limits, wanted)


def _is_beyond(world: World, attempt: Attempt, plan: Plan) -> bool:
    too_large = attempt.in_order and plan.largest > attempt.window.budget
    too_long = plan.size is None and len(attempt.data or b"") > reach(plan, world.service.limits)
    return too_large or too_long


def _by_others(world: World, attempt: Attempt, error: StorageError) -> bool:
    happened = attempt.happened
    if isinstance(error, (IntegrityError, ConflictError)):
        return "foreign_part" in happened
    if not isinstance(error, UploadGoneError):
        return False
    drops = sum(event.action == "drop" for event in attempt.fired)
    restarted = "nested" in happened and attempt.plan.other is not None and attempt.plan.other.restart
    extra = not world.start.manners.sparse and attempt.access is Access.ONCE and bool(attempt.uploads_at_start)
    lost = drops > 1 or (drops and attempt.access is Access.ONCE)
    return bool(attempt.stale or lost or restarted or extra or happened & {"foreign_part", "later"})


_EXPLANATIONS = (_by_a_fault, _by_the_caller, _by_the_source, _by_a_limit, _by_others)


# successes


def _success(world: World, attempt: Attempt, result: UploadResult) -> Iterator[str]:
    yield from _should_have_failed(attempt)
    yield from _at_the_key(world, attempt, result)
    yield from _figures(world, attempt, result)
    if attempt.is_calm:
        yield from _left_over(world, attempt)
    if attempt.depth == 0 and not attempt.fired:
        yield from _calls(attempt, result)


def _should_have_failed(attempt: Attempt) -> Iterator[str]:
    plan = attempt.plan
    replaced = plan.kind == "object" and attempt.fired
    if (
        plan.lie
        and plan.promise
        and attempt.data is not None
        and not replaced
        and (attempt.context is None or not attempt.context.offset)
    ):
        yield "the source is not what was promised"
    if attempt.context is None and not plan.overwrite and attempt.at_start is not None:
        yield "there was an object, and overwrite is off"


def _at_the_key(world: World, attempt: Attempt, result: UploadResult) -> Iterator[str]:
    there = world.service.object(attempt.plan.key)
    others = attempt.happened & _OTHERS
    if not others and attempt.depth == 0:
        if result.superseded_by is None and there not in attempt.allowed:
            yield f"success, and at the key are {len(there or b'')} other bytes"
        may_be = world.start.manners.by_initiation and attempt.context is not None
        if result.superseded_by is not None and not may_be:
            yield f"superseded by {result.superseded_by}, but nobody else wrote"
    elif (
        result.superseded_by is None
        and result.proof in ("head", "source")
        and attempt.witness.seen not in attempt.allowed
    ):
        yield "success, and the last look at the key showed another object"


def _figures(world: World, attempt: Attempt, result: UploadResult) -> Iterator[str]:
    if result.size not in {len(data) for data in attempt.allowed}:
        yield f"the size {result.size} is that of no version"
    streamed = world.start.manners.opaque and result.part_size > attempt.window.budget
    sent = sum(attempt.witness.sent)
    if result.sent != sent and not streamed:
        yield f"{sent} bytes were acknowledged, and the result says {result.sent}"
    if result.kept != max(0, result.size - result.sent):
        yield f"{result.kept} bytes kept of {result.size}, {result.sent} sent"
    if result.receipt:
        yield from _receipt(attempt, result)
    if not attempt.happened & _OTHERS and attempt.depth == 0 and result.superseded_by is None:
        there = world.service.head(BUCKET, attempt.plan.key)
        if result.etag != there.etag:
            yield f"the etag is {there.etag}, and the result says {result.etag}"


def _receipt(attempt: Attempt, result: UploadResult) -> Iterator[str]:
    if [one.number for one in result.receipt] != list(range(1, len(result.receipt) + 1)):
        yield "the receipt has gaps"
    if sum(one.size for one in result.receipt) != result.size or result.parts != len(result.receipt):
        yield "the receipt does not add up"
    completed = [(part.number, part.size, part.etag) for part in attempt.witness.completed]
    if completed and [(one.number, one.size, one.etag) for one in result.receipt] != completed:
        yield "the receipt names other parts than were completed"


def _calls(attempt: Attempt, result: UploadResult) -> Iterator[str]:
    calls = [
        call
        for call in attempt.witness.faulty.calls
        if call.operation != "read" or call.key != KEYS[attempt.plan.place]
    ]
    most = 30 + 2 * result.parts + 14 * len(attempt.known_at_start) + 8 * len(attempt.uploads_at_start)
    if len(calls) > most:
        yield f"{len(calls)} calls, at most {most} are enough"


def _left_over(world: World, attempt: Attempt) -> Iterator[str]:
    """After a calm success nothing of this source is left that this run could see, but what may still be alive."""
    plan, service = attempt.plan, world.service
    identity = service.head(BUCKET, plan.key).metadata.get(_metadata.SOURCE)
    if plan.checkpoint == "off" or identity is None:
        return
    places = {"auto": ("bucket", "local")}.get(plan.checkpoint, (plan.checkpoint,))
    known = world.records_of(plan.key)
    in_doubt = any(record.is_intent and record.identity != identity for record in known)  # whose is the empty upload?
    for record in world.records_of(plan.key, *places):
        if record.identity == identity and not (record.is_intent and in_doubt):
            yield from _of_a_record(world, attempt, record)
    if not in_doubt:
        yield from _of_uploads(world, attempt, identity)


def _of_a_record(world: World, attempt: Attempt, record: Record) -> Iterator[str]:
    if record.is_intent:
        yield f"an intent is left: {record.token}"
    elif record.upload_id not in world.service.uploads(record.key):
        yield f"a record is left, and its upload is gone: {record.token}"
    elif attempt.witness.published:  # else the engine knows no other time than that of the object it found
        quiet = world.service.time - world.service.last_sign(record.upload_id)
        if quiet > (IDLE if record.strong else ABANDONED) + timedelta(minutes=1):
            yield f"an upload of this source is left, which got no part for {quiet}"


def _of_uploads(world: World, attempt: Attempt, identity: str) -> Iterator[str]:
    recorded = {record.upload_id for record in world.records_of(attempt.plan.key)}
    nobodys = [name for name in world.ours(attempt.plan.key) if name not in recorded]
    if any(world.creators.get(name) in ("off", "local") for name in nobodys):
        return  # one of those could be the one that an intent asked for; and a local intent has this machine's time
    for name in nobodys:
        seen = attempt.plan.checkpoint in ("auto", world.creators.get(name))
        if seen and world.source_of(name) == identity:
            how = world.creators.get(name)
            yield f"an upload of this source is left that has no record: {name}, checkpoint {how}"
