"""The answers of S3 servers, with what two of them leave out."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport import xml
from storagekit.transport.answers import Answers, some
from storagekit.types import Part, PutResult


class S3Answers(Answers):
    """Reads what S3 servers answer."""

    def copied_part(self, response: BaseHTTPResponse) -> PutResult:
        """Return the receipt of a part that was copied.

        A service that knows no such copies (rclone) takes it for a part without bytes, and answers as for one: no
        document.
        """
        if not response.data and response.headers.get("ETag"):
            raise DriverError(Failure(Code.UNSUPPORTED, "the service does not copy parts", status=response.status))
        return self.made(response)

    def completed(self, response: BaseHTTPResponse, parts: Sequence[Part]) -> PutResult:
        """Return the receipt of a complete.

        Ceph names the object in its first answer and leaves the etag empty, which then is the one that S3 defines.
        """
        root = self.document(response)
        if xml.local_name(root) == "CompleteMultipartUploadResult" and xml.text(root, "Key") and not xml.etag(root):
            return PutResult(some(_etag_of(parts)), response.headers.get("x-amz-version-id"))
        return self.made(response)


def _etag_of(parts: Sequence[Part]) -> str | None:
    """The MD5 of the MD5s of the parts, and how many there are; None where their etags are none."""
    try:
        together = b"".join(bytes.fromhex(part.etag) for part in parts)
    except ValueError:
        return None
    return f"{md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"
