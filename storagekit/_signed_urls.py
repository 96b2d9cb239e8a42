"""What signed URLs say of themselves, and what services answer to a PUT by one. Pure.

A URL is signed where its query has a signature as S3, OBS or OSS write it. When it ends can be read from it: V4 has the
moment of signing and a number of seconds, the older kinds the moment itself. Whether that is over is judged by the
clock of the service, from the Date of its answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit

from storagekit.driver import Code, Failure
from storagekit.transport import xml
from storagekit.transport.codes import of_code, retry_after

_SIGNATURES = frozenset({"signature", "x-amz-signature", "x-oss-signature"})
_V4 = (("x-amz-date", "x-amz-expires"), ("x-oss-date", "x-oss-expires"))
_V4_DATE = "%Y%m%dT%H%M%SZ"
_QUERY = re.compile(r"\?\S+")
_LONGEST_WORDS = 200  # characters of what a service says
_REQUEST_IDS = ("x-amz-request-id", "x-obs-request-id", "x-oss-request-id")

_SIGN_AGAIN = "Have a new one signed, and run again"

_HINTS: Mapping[str, str] = {
    "SignatureDoesNotMatch": "Use the URL whole, for the method and with the Content-Type (--content-type) that it was "
    "signed for; without one where it was signed without",
    "EntityTooLarge": "Have a larger object uploaded in parts, by somebody with credentials",
    "NoSuchUpload": "The upload that the part belongs to has ended: have a URL signed for another",
}
_STATUS_HINTS: Mapping[int, str] = {
    405: "Use a URL that was signed for PUT",
    411: "Say how long the source is (--size); a proxy on the way may have dropped the length",
    413: _HINTS["EntityTooLarge"],
}


def is_signed(url: str) -> bool:
    """Tell whether a URL carries a signature: then it needs no other proof, and many services allow none beside it."""
    return bool(_SIGNATURES & _query(url).keys())


def expiry_of(url: str) -> datetime | None:
    """Return when a signed URL ends; None where it does not say, or nothing that makes sense."""
    query = _query(url)
    try:
        for signed_at, lasting in _V4:
            if signed_at in query:
                began = datetime.strptime(query[signed_at], _V4_DATE).replace(tzinfo=timezone.utc)
                return began + timedelta(seconds=int(query[lasting]))
        return datetime.fromtimestamp(int(query["expires"]), timezone.utc)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def has_ended(url: str, headers: Mapping[str, str]) -> datetime | None:
    """Return when a signed URL ended, where it had by the time of this answer."""
    ends = expiry_of(url) if is_signed(url) else None
    try:
        now = parsedate_to_datetime(headers.get("Date", "")).replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        now = datetime.now(timezone.utc)
    return ends if ends is not None and ends < now else None


def ended(shown: str, when: datetime, status: int) -> Failure:
    """Return the failure for a URL that has expired."""
    detail = f"the signed URL {shown} ended at {when:%Y-%m-%d %H:%M:%S} UTC"
    return Failure(Code.ACCESS_DENIED, detail, status=status, hint=_SIGN_AGAIN)


def refused_put(url: str, shown: str, status: int, headers: Mapping[str, str], document: bytes) -> Failure:
    """Return what an answer to a PUT means that is no success: its service's code first, then its status."""
    root = xml.parse(document)
    vendor_code, words = xml.text(root, "Code"), xml.text(root, "Message")
    over = has_ended(url, headers) if status in (400, 401, 403) else None
    request_id = next((headers[name] for name in _REQUEST_IDS if name in headers), None)
    if over is not None:
        return replace(ended(shown, over, status), vendor_code=vendor_code, request_id=request_id)
    said = f": {_QUERY.sub('?...', words)[:_LONGEST_WORDS]}" if words else ""
    failure = of_code(vendor_code, f"{shown} answered {status} to the PUT{said}", status, request_id)
    hint = _HINTS.get(vendor_code or "") or _STATUS_HINTS.get(status)
    if failure.code is Code.ACCESS_DENIED:
        hint = hint or _HINTS["SignatureDoesNotMatch"]
    return replace(failure, retry_after_s=retry_after(headers), hint=hint)


def _query(url: str) -> dict[str, str]:
    return {name.lower(): value for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
