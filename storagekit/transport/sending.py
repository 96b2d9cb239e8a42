"""Bodies on their way into a request.

urllib3 takes an OSError for its own: a broken pipe of the *source* is swallowed, and the request waits for an answer
until its timeout. A body's exception travels as one that urllib3 does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from storagekit.driver import Body


class _BodyFailedError(Exception):
    """Ends a request whose body failed; never leaves this module."""


class Stream:
    """A body as urllib3 wants it: ``read`` and a length. Blocks are passed on as they are, without a copy."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._size = body.size
        self._sent = 0
        self.failed: BaseException | None = None

    def __len__(self) -> int:
        """Size in bytes."""
        return self._size

    def read(self, n: int = -1) -> memoryview:
        """Return the next block, of about ``n`` bytes."""
        try:
            return self._read(n)
        except BaseException as error:
            self.failed = error
            raise _BodyFailedError from error

    def rewind(self) -> None:
        """Go back to the first byte, to be sent to another region."""
        self._body.rewind()
        self._sent = 0

    def _read(self, n: int) -> memoryview:
        """Read on, and hold the last block back until the body has shown its end.

        With the last announced byte the server has an object to publish, so what is wrong has to come up before.
        Fewer bytes than announced, and the server waits for the rest; more, and it reads a next request in them.
        """
        block = self._body.read(n)
        self._sent += len(block)
        if self._sent == self._size and block:
            self._sent += len(self._body.read(1))
        if self._sent > self._size or (not block and self._sent < self._size):
            raise ValueError(f"the body does not have the {self._size} bytes that it announced")
        return block


@contextmanager
def sending(body: Body) -> Iterator[Any]:
    """Give the body as the SDK takes it; what ``body.read`` raises inside leaves as it was."""
    stream = Stream(body)
    with suppress(_BodyFailedError):
        if not body.size:
            stream.read(1)  # the headers alone publish an empty object
        yield stream
    # Raised outside of any except clause, so that its own cause and context stay what they are.
    if stream.failed is not None:
        raise stream.failed
