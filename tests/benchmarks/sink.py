"""A server of S3, OBS and OSS that discards what it gets and answers reads from memory: what can be reached at most.

    python tests/benchmarks/sink.py [CERTIFICATE]

Prints its port; ends when its standard input does. Every connection has a process of its own, so that no interpreter
lock is shared. Over plain HTTP the kernel drops what is received (MSG_TRUNC) and sends from memory without a copy
(sendfile); over TLS Python's ``ssl`` decrypts and drops. The object is as large as its readers wish; only its
ranges can be read. A checksum that comes with a part is repeated in the answer, as S3 and OBS do, and not looked at.
OSS computes it by itself: here an upload id that is a number is what it names for each part.
Uploads begin, are listed (there is none) and end, for clients that do nothing else.
"""

from __future__ import annotations

import mmap
import os
import re
import select
import signal
import socket
import ssl
import sys
from collections.abc import Callable

LARGEST = 64 * 1024**2
"""Bytes that one request can carry or ask for."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_RANGE = re.compile(rb"range: *bytes=(\d+)-(\d+)", re.IGNORECASE)
_CHECKSUM = re.compile(rb"x-(?:amz-checksum-crc32c|(?:amz|obs)-checksum-crc64ecma): *\S+", re.IGNORECASE)

_NAMED = re.compile(rb"PUT [^ ]*uploadId=(\d+)")

_DOCUMENTS = (
    (
        re.compile(rb"POST [^ ]*\?uploads"),
        b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>",
    ),
    (re.compile(rb"GET [^ ]*\?(?:.*&)?uploads"), b"<ListMultipartUploadsResult></ListMultipartUploadsResult>"),
    (re.compile(rb"POST "), b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'),
)
"""What is answered to a request that begins like this; the first that fits."""


class Plain:
    """Drops and sends without touching a byte."""

    def __init__(self, connection: socket.socket, memory: int) -> None:
        self._connection = connection
        self._memory = memory
        self._unread = mmap.mmap(-1, LARGEST)  # never written to: it only says how much may be dropped
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def some(self) -> bytes:
        return self._connection.recv(1 << 16)

    def drop(self, count: int) -> None:
        while count > 0:
            count -= self._connection.recv_into(self._unread, count, socket.MSG_TRUNC | socket.MSG_WAITALL) or count

    def answer(self, head: bytes, body: int) -> None:
        self._connection.sendall(head)
        offset = 0
        while offset < body:
            offset += os.sendfile(self._connection.fileno(), self._memory, offset, body - offset)


class Secure:
    """Decrypts and drops; encrypts from memory."""

    def __init__(self, connection: ssl.SSLSocket, memory: int) -> None:
        self._connection = connection
        self._memory = memoryview(mmap.mmap(memory, LARGEST, access=mmap.ACCESS_READ))
        self._scratch = bytearray(1 << 18)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def some(self) -> bytes:
        return self._connection.recv(1 << 14)

    def drop(self, count: int) -> None:
        while count > 0:
            count -= self._connection.recv_into(self._scratch, min(count, len(self._scratch))) or count

    def answer(self, head: bytes, body: int) -> None:
        self._connection.sendall(head)
        if body:
            self._connection.sendall(self._memory[:body])


def serve(link: Plain | Secure) -> None:
    """Answer one request after the other until the client hangs up."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            block = link.some()
            if not block:
                return
            data += block
        head, _, rest = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        left = (int(length[1]) if length else 0) - len(rest)
        link.drop(left)
        data = rest[len(rest) + left :] if left < 0 else b""
        link.answer(*answer_to(head))


def answer_to(head: bytes) -> tuple[bytes, int]:
    """Return the head of the answer, with a document where it has one, and how many bytes of the object follow it."""
    asked = _RANGE.search(head) if head.startswith(b"GET") else None
    lines = [b"HTTP/1.1 200 OK", b'ETag: "d41d8cd98f00b204e9800998ecf8427e"', b"x-obs-request-id: sink"]
    size = 0
    if asked:
        size = int(asked[2]) - int(asked[1]) + 1
        lines[0] = b"HTTP/1.1 206 Partial Content"
        lines += [b"Content-Range: bytes %b-%b/%d" % (asked[1], asked[2], 1 << 40)]
    if checksum := _CHECKSUM.search(head):
        lines += [checksum[0]]
    if named := _NAMED.match(head):
        lines += [b"x-oss-hash-crc64ecma: " + named[1], b"x-oss-request-id: sink"]
    document = next((text for begin, text in _DOCUMENTS if begin.match(head)), b"")
    return b"\r\n".join([*lines, b"Content-Length: %d" % (size + len(document)), b"", document]), size


def accept(listener: socket.socket, wrap: Callable[[socket.socket], Plain | Secure]) -> None:
    """Serve the next connection in a child."""
    connection, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        try:
            serve(wrap(connection))
        finally:
            os._exit(0)
    connection.close()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no child is waited for
    memory = os.memfd_create("object")
    os.write(memory, os.urandom(LARGEST))
    context = None
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1])

    def wrap(connection: socket.socket) -> Plain | Secure:
        if context is None:
            return Plain(connection, memory)
        return Secure(context.wrap_socket(connection, server_side=True), memory)

    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    os.close(1)  # the children must not keep it open
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        accept(listener, wrap)


if __name__ == "__main__":
    main()
