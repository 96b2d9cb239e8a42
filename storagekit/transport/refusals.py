"""An answer that is no success, as an error of ours: for clients whose SDK raises nothing of its own.

An answer to HEAD has no document. OBS puts code and message into headers then; OSS the whole document, in base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport import xml
from storagekit.transport.codes import S3_CODES, SERVICE, of_code, retry_after
from storagekit.transport.failures import tls_wanted, wants_tls

_DOCUMENT = "x-oss-err"
_DELAY = "x-oss-qos-delay-time"


@dataclass(frozen=True)
class Refusals:
    """What a service calls its errors: ``codes``, and what to do about some of them where that is not clear."""

    request_ids: tuple[str, ...]
    codes: Mapping[str, Code] = field(default_factory=lambda: S3_CODES)
    hints: Mapping[str, str] = field(default_factory=dict)

    def of(self, response: BaseHTTPResponse) -> DriverError:
        """Return the error for an answer, and give its connection back."""
        data, headers = response.data or b"", response.headers  # reads what is not read yet
        response.release_conn()
        if response.status == 400 and wants_tls(data):
            return DriverError(tls_wanted(SERVICE, 400))
        root = xml.parse(data or _decoded(headers.get(_DOCUMENT, "")))
        code = xml.text(root, "Code") or headers.get("x-obs-error-code")
        message = xml.text(root, "Message") or headers.get("x-obs-error-message")
        request_id = next((headers[name] for name in self.request_ids if name in headers), None)
        failure = of_code(code, message, response.status, request_id, self.codes)
        return DriverError(self._advised(failure, headers))

    def _advised(self, failure: Failure, headers: Mapping[str, str]) -> Failure:
        delay = headers.get(_DELAY, "")
        wish = int(delay) / 1000 if delay.isdecimal() else retry_after(headers)  # OSS says it in milliseconds
        return replace(failure, retry_after_s=wish, hint=self.hints.get(failure.vendor_code or ""))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
