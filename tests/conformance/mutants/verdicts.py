"""A pytest plugin that calls each test of the suite on every mutant, and writes down how it ended.

pytest collects the suite once, with its parameters; the loop over the drivers is in here, because 30,000 tests of its
own cost pytest a minute, and calling them a third of that. A test ends on a driver as ``passed``; ``refused``: the
driver's own refusal ended it, which is no finding; ``killed``: an assertion failed; ``crashed``: anything else, or an
exception left the mutant that is none of a driver's. Of several parameters the worst counts.

``--verdicts`` gets one line of JSON per driver: its name, what is wrong with it, and how each test function ended.
``--shard i/n`` takes every n-th driver.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storagekit.driver import DriverError
from storagekit.drivers._memory_store import Refused
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import BodyBroke
from tests.conformance.mutants.watched import Crashes

RANKS = ("passed", "refused", "killed", "crashed")
Verdicts = dict[type[MemoryDriver], dict[str, str]]
VERDICTS = pytest.StashKey[Verdicts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--verdicts", help="File to write to")
    parser.addoption("--shard", default="0/1", help="Which drivers: i/n")


def pytest_collection_finish(session: pytest.Session) -> None:
    from tests.conformance.mutants.suite import DRIVERS  # collected by now, which is when asserts are rewritten

    shard, shards = map(int, session.config.getoption("--shard").split("/"))
    verdicts: Verdicts = {driver: {} for driver in DRIVERS[shard::shards]}
    session.config.stash[VERDICTS] = verdicts


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call one test on all the drivers. It never fails: what was seen is judged by the process that asked."""
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames if name != "harness"}
    for driver, seen in pyfuncitem.config.stash[VERDICTS].items():
        verdict = judged(pyfuncitem, driver, given)
        name = pyfuncitem.originalname
        seen[name] = max(verdict, seen.get(name, "passed"), key=RANKS.index)
    return True


def judged(test: pytest.Function, driver: type[MemoryDriver], given: dict[str, object]) -> str:
    """Say how one test with its parameters ends on one driver."""
    from tests.conformance.mutants.suite import make_harness

    crashes: Crashes = []
    try:
        test.obj(harness=make_harness(driver, crashes), **given)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # which one it is, is the question
        return "crashed" if crashes else verdict_on(error)
    return "crashed" if crashes else "passed"


def verdict_on(error: BaseException) -> str:
    """Say what an exception that ended a test is."""
    if isinstance(error, (DriverError, Refused, BodyBroke)):
        return "refused"
    is_finding = isinstance(error, (AssertionError, pytest.fail.Exception)) and "pytest-timeout" not in str(error)
    return "killed" if is_finding else "crashed"


def pytest_sessionfinish(session: pytest.Session) -> None:
    lines = [
        json.dumps({"mutant": mutant.__name__, "wrong": (mutant.__doc__ or "").strip(), "tests": tests})
        for mutant, tests in session.config.stash[VERDICTS].items()
    ]
    Path(session.config.getoption("--verdicts")).write_text("".join(f"{line}\n" for line in lines))
