"""Buffers: pages of 2 MiB where the system has them, and an error that says so where there is no memory."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import pytest

from storagekit._memory import allocate

MIB = 1024**2


@pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB, 5 * MIB + 3])
def test_a_buffer_has_the_size_asked_for_and_holds_zeros(size: int) -> None:
    view = memoryview(allocate(size))
    assert (len(view), bytes(view)) == (size, bytes(size))
    view[:] = b"x" * size
    assert view == b"x" * size


def huge_pages_on_request() -> bool:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.exists() and "[never]" not in setting.read_text()


@pytest.mark.skipif(not huge_pages_on_request(), reason="this system gives no huge pages")
def test_a_large_buffer_lies_in_huge_pages() -> None:
    memory = allocate(16 * MIB)
    memory[:] = b"x" * len(memory)
    assert isinstance(memory, mmap.mmap)
    assert re.search(r"^VmFlags:.* hg\b", Path("/proc/self/smaps").read_text(), re.MULTILINE)


def test_memory_that_is_not_there_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        allocate(1 << 62)
