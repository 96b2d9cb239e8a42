"""The emulators as pytest fixtures: ``pytest_plugins = ["storagekit.testing.emulator.fixtures"]`` in a ``conftest.py``.

Needs pytest (``storagekit-sdk[testing]``).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storagekit.testing.emulator.emulator import Emulator
from storagekit.testing.emulator.names import resolving


@pytest.fixture
def obs_emulator() -> Iterator[Emulator]:
    """A new, empty OBS on a free port; in this process ``obs.test`` and ``*.obs.test`` lead to it."""
    with Emulator("obs") as emulator, resolving(emulator.domain):
        yield emulator


@pytest.fixture
def oss_emulator() -> Iterator[Emulator]:
    """A new, empty OSS on a free port; in this process ``oss.test`` and ``*.oss.test`` lead to it."""
    with Emulator("oss") as emulator, resolving(emulator.domain):
        yield emulator
