"""Sources: a file is recognised by what it holds, wherever it lies, and what is no file is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagekit._clock import Cancel
from storagekit._source import BytesSource, FileSource, Identity, OpenSource, strong_identity, weak_identity
from storagekit.errors import NotFoundError, SourceChangedError, UnsupportedSourceError

EDGE = 64 * 1024
DATA = bytes(range(256)) * 1024  # 256 KiB


def make(path: Path, data: bytes = DATA, mtime: float = 1e9) -> Path:
    path.write_bytes(data)
    os.utime(path, (mtime, mtime))
    return path


def opened(path: Path) -> OpenSource:
    return FileSource(path).open(Cancel())


def identity(path: Path) -> Identity:
    source = opened(path)
    source.close()
    return source.identity


def read(source: OpenSource, offset: int, length: int, step: int = 1000) -> bytes:
    reader, buffer, found = source.open_range(offset, length, Cancel()), memoryview(bytearray(step)), bytearray()
    while count := reader.readinto(buffer):
        found += buffer[:count]
    reader.close()
    return bytes(found)


def edited(at: int) -> bytes:
    return DATA[:at] + b"!" + DATA[at + 1 :]


def test_a_file_states_its_facts(tmp_path: Path) -> None:
    source = opened(make(tmp_path / "a.tar", mtime=1e9 + 0.5))
    assert ("a.tar", len(DATA), 1e9 + 0.5, True) == (source.name, source.size, source.mtime, source.identity.strong)
    source.close()


def test_a_file_is_the_same_at_another_path(tmp_path: Path) -> None:
    first = make(tmp_path / "a")
    (tmp_path / "sub").mkdir()
    second = Path(shutil.copy2(first, tmp_path / "sub/b"))
    assert identity(first).digest == identity(second).digest
    assert str(first) == identity(first).shown


def test_a_file_is_the_same_whatever_the_fraction_of_its_second(tmp_path: Path) -> None:
    assert identity(make(tmp_path / "a", mtime=1e9)).digest == identity(make(tmp_path / "b", mtime=1e9 + 0.9)).digest


@pytest.mark.parametrize(
    ("data", "mtime"),
    [
        (DATA, 1e9 + 1),
        (DATA + b"!", 1e9),
        (DATA[:-1], 1e9),
        (edited(0), 1e9),
        (edited(EDGE - 1), 1e9),
        (edited(len(DATA) - EDGE), 1e9),
        (edited(len(DATA) - 1), 1e9),
    ],
)
def test_a_file_is_another_when_time_size_or_edges_differ(tmp_path: Path, data: bytes, mtime: float) -> None:
    assert identity(make(tmp_path / "a")).digest != identity(make(tmp_path / "b", data, mtime)).digest


@pytest.mark.parametrize("size", [0, 1, EDGE - 1, EDGE, EDGE + 1, 2 * EDGE])
def test_small_files_have_an_identity_too(tmp_path: Path, size: int) -> None:
    one, other = make(tmp_path / "a", b"x" * size), make(tmp_path / "b", b"x" * size + b"x")
    assert identity(one).digest == identity(one).digest
    assert identity(one).digest != identity(other).digest


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("ranges") / "big")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(DATA)), st.integers(0, len(DATA)), st.integers(1000, 100_000))
def test_any_range_can_be_read(big: Path, offset: int, length: int, step: int) -> None:
    source = opened(big)
    in_memory = BytesSource(DATA).open(Cancel())
    assert DATA[offset : offset + length] == read(source, offset, length, step)
    assert DATA[offset : offset + length] == read(in_memory, offset, length, step)
    source.close()


def test_ranges_can_be_read_at_once(tmp_path: Path) -> None:
    source = opened(make(tmp_path / "a"))
    first, second = source.open_range(0, 10, Cancel()), source.open_range(100, 10, Cancel())
    buffers = [memoryview(bytearray(5)) for _ in range(4)]
    for buffer, reader in zip(buffers, (first, second, first, second), strict=True):
        reader.readinto(buffer)
    assert [DATA[0:5], DATA[100:105], DATA[5:10], DATA[105:110]] == [bytes(buffer) for buffer in buffers]
    source.close()


def touch(path: Path) -> None:
    os.utime(path, (1e9, 1e9 + 0.001))


def grow(path: Path) -> None:
    make(path, DATA + b"!")


def cut(path: Path) -> None:
    os.truncate(path, 10)


@pytest.mark.parametrize("change", [touch, grow, cut])
def test_a_file_that_changed_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = make(tmp_path / "a")
    source = opened(path)
    source.verify()
    change(path)
    with pytest.raises(SourceChangedError, match="changed while it was read"):
        source.verify()
    source.close()


def test_a_file_that_is_replaced_by_name_is_read_on_as_it_was(tmp_path: Path) -> None:
    path = make(tmp_path / "a")
    source = opened(path)
    make(tmp_path / "b", b"new").replace(path)
    source.verify()
    assert DATA == read(source, 0, len(DATA))
    source.close()


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        opened(tmp_path / "missing")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedSourceError, match="a directory"):
        opened(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsupportedSourceError, match="not a regular file"):
        opened(tmp_path / "pipe")


def test_a_refused_source_leaves_nothing_open(tmp_path: Path) -> None:
    def free() -> int:
        descriptor = os.dup(0)
        os.close(descriptor)
        return descriptor

    before = free()
    with pytest.raises(UnsupportedSourceError):
        opened(tmp_path)
    assert before == free()


def test_bytes_are_recognised_by_what_they_are() -> None:
    def digest(source: BytesSource) -> str:
        return source.open(Cancel()).identity.digest

    assert digest(BytesSource(b"abc", "x")) == digest(BytesSource(memoryview(bytearray(b"abc")), "y"))
    assert digest(BytesSource(b"abc")) != digest(BytesSource(b"abd"))


def test_bytes_that_changed_are_noticed() -> None:
    data = bytearray(b"abc")
    source = BytesSource(data).open(Cancel())
    source.verify()
    data[0] = 0
    with pytest.raises(SourceChangedError):
        source.verify()


def test_a_strong_identity_follows_from_its_facts_alone() -> None:
    assert strong_identity("here", a=1, b="2").digest == strong_identity("there", b="2", a=1).digest
    assert strong_identity("here", a=1).digest != strong_identity("here", a="1").digest


def test_a_weak_identity_is_found_again_but_promises_nothing() -> None:
    assert weak_identity("it", kind="stream").digest == weak_identity("other", kind="stream").digest
    assert weak_identity("it", kind="stream").digest != weak_identity("it", kind="http").digest
    assert not weak_identity("it").strong


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux only")
def test_a_file_whose_size_says_nothing_is_refused() -> None:
    with pytest.raises(UnsupportedSourceError, match="stream"):
        FileSource("/proc/cpuinfo").open(Cancel())
