"""What all signatures have in common: clocks, keys made of a chain of HMACs, and the proof in the end. Pure."""

from __future__ import annotations

import hmac
from calendar import timegm
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from storagekit.testing.emulator.accounts import Account
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request

MAX_SKEW_S = 15 * 60
MAX_URL_S = 7 * 24 * 3600  # of a V4 signature
UNSIGNED = "UNSIGNED-PAYLOAD"
V4_DATE = "%Y%m%dT%H%M%SZ"


def prove(right: str, given: str, text: str, **facts: str) -> None:
    """Raise Refusal where the signature that was given is not the right one of a text. Takes the same time always."""
    if not hmac.compare_digest(as_bytes(right), as_bytes(given)):
        raise Refusal(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            **facts,
            StringToSign=text,
            SignatureProvided=given,
        )


def check_token(given: str | None, account: Account, now: float) -> None:
    """Raise Refusal for a token that is not the account's, and for one that is over."""
    if (given or "") != (account.token or ""):
        raise Refusal("InvalidToken", "The security token is missing, or not that of the access key.")
    if account.expires is not None and now > account.expires:
        raise Refusal("ExpiredToken", "The temporary access key has expired.")


def check_skew(sent: float, now: float) -> None:
    """Raise Refusal for a request that is from another time."""
    if sent - now > MAX_SKEW_S:
        raise Refusal("RequestTimeTooSkewed", "Request is not yet valid.", **_times(sent, now))
    if now - sent > MAX_SKEW_S:
        raise Refusal("RequestTimeTooSkewed", "Request is no longer valid.", **_times(sent, now))


def check_begun(begin: float, now: float) -> None:
    """Raise Refusal for a signed URL whose time has not come."""
    if begin - now > MAX_SKEW_S:
        raise Refusal("RequestTimeTooSkewed", "Request is not yet valid.", **_times(begin, now))


def _times(sent: float, now: float) -> dict[str, str]:
    return {
        "RequestTime": shown_time(sent),
        "ServerTime": shown_time(now),
        "MaxAllowedSkewMilliseconds": str(MAX_SKEW_S * 1000),
    }


def chained(first: str, scope: str, text: str) -> str:
    """Return V4's signature of a text: HMAC-SHA256 by a key that each step of the scope goes into."""
    key = as_bytes(first)
    for step in scope.split("/"):
        key = hmac.digest(key, as_bytes(step), "sha256")
    return hmac.digest(key, as_bytes(text), "sha256").hex()


def v4_seconds(text: str) -> float:
    """Return the time of a V4 signature. Raises Refusal where it is none."""
    try:
        return timegm(datetime.strptime(text, V4_DATE).replace(tzinfo=timezone.utc).timetuple())
    except ValueError:
        raise Refusal("AccessDenied", "The time of the signature is not of the form 20300101T000000Z.") from None


def v4_date(given: str | None, request: Request) -> str:
    """Return the time of a V4 signature in its own form, also where the client sent it as ``Date``, as SDKs do."""
    if given is not None:
        return given
    return datetime.fromtimestamp(http_seconds(request.header("date")), timezone.utc).strftime(V4_DATE)


def http_seconds(text: str | None) -> float:
    """Return the time of a Date header. Raises Refusal where it is none."""
    if text is None:
        raise Refusal("AccessDenied", "Authentication requires a valid Date, or the date header of the dialect.")
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        raise Refusal("AccessDenied", "Authentication requires a valid Date: it is not one of RFC 1123.") from None


def shown_time(seconds: float) -> str:
    """Return a time as refusals show it."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a year with more than four digits
        return str(int(seconds))


def needed(request: Request, name: str) -> str:
    """Return a parameter of a signed URL. Raises Refusal where it is missing."""
    value = request.param(name)
    if not value:
        raise Refusal("AccessDenied", f"A signed URL needs the parameter {name}.")
    return value


def encoded_path(path: str, safe: str) -> str:
    """Return a path in the one encoding that is signed, however the client encoded it."""
    return quote(unquote_to_bytes(path), safe)


def encoded(text: str) -> str:
    """Return a name or a value of a query as V4 signs it."""
    return quote(text, "-_.~", errors="surrogateescape")


def as_bytes(text: str) -> bytes:
    """Return the bytes that a text was read from."""
    return text.encode("utf-8", "surrogateescape")
