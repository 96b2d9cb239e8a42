"""An unfinished upload: a directory with ``upload.json`` and its parts, which one rename takes away as a whole.

A part's file name is its number and the MD5 of its bytes, so one listing says all there is to know of a hundred parts.
``folder`` is the upload's directory. Whatever is missing in it means that the upload is gone: UPLOAD_GONE.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paramiko

from storagekit.driver import Body, Code
from storagekit.types import Part, Upload
from storagekit_sftp import files
from storagekit_sftp.files import STEP, refusal

SHELF = 100  # parts to a directory

_ID = re.compile(r"[0-9a-f]{32}")


@contextmanager
def absent_is_gone() -> Iterator[None]:
    """Turn "no such file" into UPLOAD_GONE."""
    try:
        yield
    except FileNotFoundError:
        raise refusal(Code.UPLOAD_GONE, "the upload was completed or aborted, or never begun") from None


def facts_of(sftp: paramiko.SFTPClient, folder: str, upload: Upload) -> dict[str, Any]:
    """Return what an upload was begun with. Raises UPLOAD_GONE, also for an id of another key."""
    with absent_is_gone():
        if _ID.fullmatch(upload.id):
            facts = files.read_json(sftp, f"{folder}/upload.json")
            if facts["key"] == upload.key:
                return facts
        raise FileNotFoundError


def parts_of(sftp: paramiko.SFTPClient, folder: str, upload: Upload, first: int = 0) -> tuple[Part, ...]:
    """Return the parts from ``first`` on, or from somewhat before it, ascending."""
    found: dict[int, Part] = {}
    with absent_is_gone():
        if not _ID.fullmatch(upload.id):
            raise FileNotFoundError
        shelves = sorted(int(name) for name in sftp.listdir(folder) if name.isdecimal())
        for shelf in shelves:
            for entry in sftp.listdir_attr(f"{folder}/{shelf}") if shelf >= first // SHELF else ():
                number, _, etag = entry.filename.partition("-")
                found[int(number)] = Part(int(number), entry.st_size or 0, etag, modified=files.utc(entry.st_mtime))
    facts_of(sftp, folder, upload)  # only now is it certain that no abort removed files while they were listed
    return tuple(found[number] for number in sorted(found))


def store_part(
    sftp: paramiko.SFTPClient, folder: str, number: int, chunks: Iterable[files.Chunk], body: Body | None = None
) -> Part:
    """Write a part and remove the one of the same number that was there. Of two sent at once, both may stay."""
    shelf = f"{folder}/{number // SHELF}"
    with absent_is_gone(), files.removed_on_failure(sftp, f"{folder}/draft-{secrets.token_hex(8)}") as draft:
        facts = files.write_file(sftp, draft, chunks)
        if body is not None:
            files.require_whole(body, facts)
        files.ensure_folder(sftp, shelf)
        earlier = {name for name in sftp.listdir(shelf) if name.startswith(f"{number:06}-")}
        sftp.posix_rename(draft, f"{shelf}/{number:06}-{facts.etag}")
    for other in earlier - {f"{number:06}-{facts.etag}"}:
        files.remove_file(sftp, f"{shelf}/{other}")
    return Part(number, facts.size, facts.etag)


def require_parts(stored: Iterable[Part], wanted: Sequence[Part]) -> None:
    """Raise PART_INVALID where ``wanted`` do not ascend, or one of them is not stored."""
    numbers = [part.number for part in wanted]
    if not numbers or numbers != sorted(set(numbers)):
        raise refusal(Code.PART_INVALID, "the parts do not ascend by number")
    etags = {part.number: part.etag for part in stored}
    for part in wanted:
        if etags.get(part.number) != part.etag:
            raise refusal(Code.PART_INVALID, f"part {part.number} is missing, or another one by now")


def joined(sftp: paramiko.SFTPClient, folder: str, upload: Upload, parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the bytes of ``parts``. Raises PART_INVALID for one that was replaced meanwhile."""
    for part in parts:
        path = f"{folder}/{part.number // SHELF}/{part.number:06}-{part.etag}"
        try:
            file = sftp.open(path, "rb")
        except FileNotFoundError:
            facts_of(sftp, folder, upload)
            raise refusal(Code.PART_INVALID, f"part {part.number} is another one by now") from None
        with file:
            for at in range(0, part.size, STEP):
                yield files.read_exactly(file, at, min(STEP, part.size - at))
