"""Cases about where a body ends and how it is coded: lengths, chunks, closing, compression."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator

from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import (
    DAMAGED,
    DATA,
    FAILED,
    TRUNCATED,
    UNSUPPORTED,
    Case,
    Expected,
    an_object,
    refused,
)
from storagekit.testing.hostile.site import PART, Lie, Site
from storagekit.testing.http_source.content import BytesContent

SHA256 = hashlib.sha256(DATA).hexdigest()
ZEROS = bytes(3 * 1024**2)  # three times the memory budget out of 3 KB


def cases() -> Iterator[Case]:
    """Yield them."""
    yield from _lengths()
    yield from _untrue_lengths()
    yield from _odd_lengths()
    yield from _cuts()
    yield from _chunks()
    yield from _closing()
    yield from _compressed()
    yield from _damaged()
    yield from _claimed_and_bombs()
    yield from _other_encodings()


def _whole(
    name: str, says: str, expected: Expected, *told: Lie, size: int | None = None, sha256: str | None = None
) -> Case:
    """A case of a server without ranges or validators: framing is all there is."""
    site = Site(etag="none", modified="none", ranges=False, lies=told)
    return Case(name, says, lambda: site, expected, size=size, sha256=sha256)


def _lengths() -> Iterator[Case]:
    yield Case(
        "empty", "No bytes at all, and Content-Length says so.", lambda: Site(content=BytesContent(b"")), an_object(b"")
    )
    yield Case("one-byte", "A single byte.", lambda: Site(content=BytesContent(b"x")), an_object(b"x"))
    yield _whole("empty-no-ranges", "No bytes, no ranges, no validators.", an_object(b""), lies.change(body=b""))


def _untrue_lengths() -> Iterator[Case]:
    n = len(DATA)
    yield _whole(
        "length-too-large",
        "Content-Length announces 1,000 bytes more than come.",
        FAILED,
        lies.header("Content-Length", str(n + 1000)),
        lies.change(hangs_up=True),
    )
    yield _whole(
        "length-too-small",
        "1,000 bytes follow those that Content-Length announces: they are not of this answer.",
        an_object(DATA[:-1000]),
        lies.header("Content-Length", str(n - 1000)),
    )
    yield _whole(
        "body-replaced-by-shorter",
        "The right length, but an error page comes instead, and the end.",
        FAILED,
        lies.header("Content-Length", str(n)),
        lies.change(body=b"<html>sorry</html>", hangs_up=True),
    )


def _odd_lengths() -> Iterator[Case]:
    right, n = an_object(), len(DATA)
    yield _whole(
        "length-twice-the-same",
        "Two Content-Lengths that agree.",
        right,
        lies.also("Content-Length", str(n)),
        lies.also("Content-Length", str(n)),
    )
    yield _whole(
        "length-twice-different",
        "Two Content-Lengths that do not.",
        FAILED,
        lies.also("Content-Length", str(n)),
        lies.also("Content-Length", str(n - 1)),
    )
    yield _whole(
        "length-list-different",
        "One Content-Length with two values.",
        FAILED,
        lies.header("Content-Length", f"{n}, {n - 9}"),
    )
    yield _whole("length-negative", "A negative Content-Length.", FAILED, lies.header("Content-Length", "-1"))
    yield _whole("length-no-number", "A Content-Length in hex.", FAILED, lies.header("Content-Length", "0x100"))
    yield _whole(
        "length-with-underscores",
        "A Content-Length that only Python reads.",
        FAILED,
        lies.header("Content-Length", "10_000"),
    )


def _cuts() -> Iterator[Case]:
    right, n = an_object(), len(DATA)
    yield _whole(
        "cut-once",
        "The body breaks off once, after two parts.",
        right,
        lies.when(lies.only(1), lies.change(cut=2 * PART + 77)),
    )
    yield _whole(
        "cut-once-at-first",
        "The body breaks off once, within the first part.",
        right,
        lies.when(lies.only(1), lies.change(cut=77)),
    )
    yield _whole("cut-always", "It breaks off at the same place each time.", FAILED, lies.change(cut=2 * PART + 77))
    yield _whole("cut-before-the-last-byte", "One byte is missing, each time.", FAILED, lies.change(cut=n - 1))
    yield _whole("reset-always", "It ends with a reset each time.", FAILED, lies.change(cut=3 * PART, reset=True))


def _chunks() -> Iterator[Case]:
    right, chunked = an_object(), lies.change(framing="chunked")
    frames = len(DATA) + 4 * 8  # four chunks, each with a size line of six bytes and a CR LF
    yield _whole("chunked", "Chunks, and no length.", right, chunked)
    yield _whole("chunked-empty", "Only the last chunk.", an_object(b""), chunked, lies.change(body=b""))
    yield _whole(
        "chunked-with-length",
        "Chunks and a Content-Length that lies: chunks count.",
        right,
        lies.header("Content-Length", "10"),
        chunked,
    )
    yield _whole(
        "chunked-cut-once", "Cut within a chunk once.", right, chunked, lies.when(lies.only(1), lies.change(cut=90_000))
    )
    yield _whole("chunked-cut-always", "Cut within a chunk each time.", FAILED, chunked, lies.change(cut=90_000))
    yield _whole(
        "chunked-without-last", "All chunks but the last, empty one.", FAILED, chunked, lies.change(cut=frames)
    )
    yield _chunks_of("chunk-size-cut", "Cut within a chunk size, 0f0, after its 0: no last chunk.", b"0")
    yield _chunks_of("chunk-size-garbage", "A chunk size that is no number.", b"zz\r\n")
    yield _chunks_of("chunk-size-negative", "A chunk size of -1.", b"-1\r\n" + DATA[:5000])
    yield _chunks_of("chunk-too-long", "More bytes in a chunk than its size says.", b"3\r\nabcdef\r\n0\r\n\r\n")
    yield _whole(
        "transfer-encoding-gzip",
        "Transfer-Encoding: gzip, chunked.",
        UNSUPPORTED,
        lies.header("Transfer-Encoding", "gzip, chunked"),
        lies.header("Content-Length", None),
    )


def _chunks_of(name: str, says: str, last: bytes) -> Case:
    """A good chunk, and then ``last``, each time."""
    good = b"%x\r\n%b\r\n" % (3 * PART, DATA[: 3 * PART])
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + good + last
    return _whole(name, says, FAILED, lies.change(raw=raw))


def _closing() -> Iterator[Case]:
    right = an_object()
    old = (lies.change(framing="close", version="HTTP/1.0"),)
    early = (*old, lies.change(cut=3 * PART + 9))
    yield _whole("close-delimited", "HTTP/1.0: the end of the connection is the end, or is it?", UNSUPPORTED, *old)
    yield _whole("close-delimited-size", "The same, and the caller knows the size.", right, *old, size=len(DATA))
    yield _whole("close-delimited-sha256", "The same, and the caller knows the digest.", right, *old, sha256=SHA256)
    yield _whole(
        "close-delimited-short-size", "It ends early, and the caller knows the size.", TRUNCATED, *early, size=len(DATA)
    )
    yield _whole(
        "close-delimited-short-sha256",
        "It ends early, and the caller knows the digest.",
        DAMAGED,
        *early,
        sha256=SHA256,
    )
    yield _whole(
        "close-delimited-long-size",
        "More comes than the caller knows of.",
        refused("IntegrityError", 6),
        *old,
        size=len(DATA) - 1,
    )
    yield _whole(
        "close-delimited-1.1", "HTTP/1.1 with neither length nor chunks.", UNSUPPORTED, lies.change(framing="close")
    )


def _compressed() -> Iterator[Case]:
    right = an_object()
    chunked = lies.change(framing="chunked")
    yield _whole("gzip", "Compressed although not asked for: decoded.", right, lies.encoded("gzip", gzip.compress))
    yield _whole(
        "gzip-chunked", "Compressed on the fly, in chunks.", right, lies.encoded("gzip", gzip.compress), chunked
    )
    yield _whole("x-gzip", "By its old name.", right, lies.encoded("x-gzip", gzip.compress))
    yield _whole("gzip-two-members", "Two gzip members are one content.", right, lies.encoded("gzip", lies.two_members))


def _damaged() -> Iterator[Case]:
    right, chunked = an_object(), lies.change(framing="chunked")
    yield _whole(
        "gzip-truncated",
        "A gzip stream that ends early in a body that does not.",
        TRUNCATED,
        lies.encoded("gzip", lies.truncated_gzip),
    )
    yield _whole(
        "gzip-truncated-chunked", "The same in chunks.", TRUNCATED, lies.encoded("gzip", lies.truncated_gzip), chunked
    )
    yield _whole("gzip-bad-crc", "A gzip stream whose checksum is wrong.", DAMAGED, lies.encoded("gzip", lies.bad_crc))
    yield _whole(
        "gzip-trailing-garbage",
        "Something follows the gzip stream.",
        DAMAGED,
        lies.encoded("gzip", lambda data: gzip.compress(data) + b"junk"),
    )
    yield _whole(
        "gzip-cut-once",
        "A compressed body breaks off once.",
        right,
        lies.encoded("gzip", gzip.compress),
        lies.when(lies.only(1), lies.change(cut=100_000)),
    )


def _claimed_and_bombs() -> Iterator[Case]:
    yield _whole("gzip-is-not", "The body was never compressed.", DAMAGED, lies.header("Content-Encoding", "gzip"))
    yield _whole(
        "gzip-bomb",
        "3 KB that become 3 MiB, three times the memory budget.",
        an_object(ZEROS),
        lies.change(body=ZEROS),
        lies.encoded("gzip", gzip.compress),
    )


def _other_encodings() -> Iterator[Case]:
    right = an_object()
    yield _whole("deflate", "Compressed with deflate.", right, lies.encoded("deflate", zlib.compress))
    yield _whole(
        "deflate-raw",
        "Deflate without its header, as some servers send it.",
        right,
        lies.encoded("deflate", lies.raw_deflate),
    )
    yield _whole(
        "deflate-truncated",
        "A deflate stream that ends early.",
        TRUNCATED,
        lies.encoded("deflate", lambda data: zlib.compress(data)[:-400]),
    )
    yield _whole("brotli", "An encoding that is not known here.", UNSUPPORTED, lies.header("Content-Encoding", "br"))
    claimed = Site(
        lies=(lies.encoded("gzip", gzip.compress), lies.when(lies.looks, lies.header("Content-Encoding", "gzip")))
    )
    yield Case("gzip-in-ranges", "Ranges of a compressed form: asked for whole instead.", lambda: claimed, right)
