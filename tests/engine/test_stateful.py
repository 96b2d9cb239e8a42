"""The engine against a model: steps that Hypothesis chooses, with faults, kills and other writers.

A step is a run of the engine, or what the world does between runs; see ``stateful_plans.py`` for what there is, and
``stateful_rules.py`` for what must be true after each. CI runs the same 10,000 steps each time; to explore, set
``STORAGEKIT_TEST_STEPS`` to a number of steps, which are then others each time.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.engine import stateful_plans as plans
from tests.engine.stateful_attempt import Killed
from tests.engine.stateful_plans import one_of_these
from tests.engine.stateful_sources import Version
from tests.engine.stateful_world import World

STEPS = 10_000
STEPS_OF_MANY = 1_000
PER_EXAMPLE = 25


class Engine(RuleBasedStateMachine):
    """The steps. A run gets no more workers than ``workers``; the draws are the same for all machines."""

    workers: ClassVar[int]
    counts: ClassVar[Counter[str]]
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory(prefix="stateful-")

    @initialize(start=plans.starts)
    def begin(self, start: plans.Start) -> None:
        self.world = World(start, Path(self.directory.name), self.workers)

    def teardown(self) -> None:
        self.directory.cleanup()
        if hasattr(self, "world"):
            self.counts.update(self.world.ends)

    def _settle(self) -> None:
        self.counts["steps"] += 1
        self.world.settle()

    @rule(plan=plans.runs)
    def upload(self, plan: plans.Run) -> None:
        self.world.run(plan)
        self._settle()

    @rule(plan=plans.runs)
    def upload_once_more(self, plan: plans.Run) -> None:
        """The same as ``upload``, which makes it twice as likely."""
        self.upload(plan)

    @rule(plan=plans.runs, kill=one_of_these(plans.KILLS), parts=st.integers(3, 9))
    def upload_and_be_killed(self, plan: plans.Run, kill: plans.Event, parts: int) -> None:
        """A run of several parts to which nothing else happens, and another one of its source."""
        version = replace(plan.version, parts=parts)
        self.world.run(replace(plan, version=version, events=(kill,), lie=False, trouble=None))
        self.world.run_again(plan)
        self._settle()

    @rule(plan=plans.runs)
    def upload_again(self, plan: plans.Run) -> None:
        """The same source as the run before, as a rule undisturbed: what was left is met again."""
        self.world.run_again(plan)
        self._settle()

    @rule(plan=plans.runs)
    def init_upload(self, plan: plans.Run) -> None:
        self.world.init(plan)
        self._settle()

    @rule(plan=plans.runs, kill=one_of_these(plans.KILLS))
    def upload_stream_and_be_killed(self, plan: plans.Run, kill: plans.Event) -> None:
        """Two phases of which the second is killed; the context of another first one is kept."""
        plan = replace(plan, lie=False, trouble=None, promise=(), events=())
        self.world.init(plan)
        self.world.stream(-1, replace(plan, events=(kill,)))
        self.world.init(plan)
        self._settle()

    @rule(which=st.integers(-3, 3), plan=plans.runs)
    def upload_stream(self, which: int, plan: plans.Run) -> None:
        self.world.stream(which, plan)
        self._settle()

    @rule(place=st.integers(0, 1), version=plans.versions, seen=st.booleans())
    def write_file(self, place: int, version: Version, seen: bool) -> None:
        self.world.rewrite(place, version, seen=seen)
        self._settle()

    @rule(
        key=st.sampled_from(plans.KEYS),
        what=st.sampled_from(["object", "deleted", "upload", "part"]),
        version=plans.versions,
    )
    def another_program(self, key: str, what: str, version: Version) -> None:
        self.world.another_program(key, what, version)
        self._settle()

    @rule(minutes=st.sampled_from([1, 16, 16, 25 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.world.later(minutes)
        self._settle()

    @rule(key=st.sampled_from(plans.KEYS))
    def the_service_drops_uploads(self, key: str) -> None:
        self.world.expire(key)
        self._settle()


def machine(workers: int, counts: Counter[str]) -> type[Engine]:
    """Return the machine whose runs have at most so many workers; ``counts`` are steps, and how runs ended."""
    return type("Engine", (Engine,), {"workers": workers, "counts": counts})


@contextmanager
def quiet_deaths() -> Iterator[None]:
    """A killed run dies in all of its threads, and none of them has to say so."""
    loud = threading.excepthook

    def hook(args: Any) -> None:
        if args.exc_type is not Killed:
            loud(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = loud


def explore(workers: int, steps: int, phases: tuple[Phase, ...]) -> Counter[str]:
    """Take at least so many steps; the same ones each time, unless the environment asks for others."""
    asked = os.environ.get("STORAGEKIT_TEST_STEPS")
    steps = int(asked) if asked else steps
    counts: Counter[str] = Counter()
    chosen = settings(
        max_examples=steps * 6 // 5 // PER_EXAMPLE + 5,  # some examples end early
        stateful_step_count=PER_EXAMPLE,
        derandomize=not asked,
        database=None,
        deadline=None,
        phases=phases,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    with quiet_deaths():
        run_state_machine_as_test(machine(workers, counts), settings=chosen)
    assert counts["steps"] >= steps
    return counts


def test_the_engine_keeps_its_promises_in_10000_steps() -> None:
    counts = explore(1, STEPS, (Phase.generate, Phase.shrink))

    assert counts["succeeded"] > counts["steps"] // 10
    assert {"resumed", "Killed", "ServiceError", "UploadGoneError", "SourceChangedError"} <= set(counts)


def test_so_it_does_with_many_workers() -> None:
    counts = explore(4, STEPS_OF_MANY, (Phase.generate,))

    assert counts["resumed"]
