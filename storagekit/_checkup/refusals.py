"""What a refusal by the service means, in one plain sentence with what to do next. Pure: tables and their reading."""

from __future__ import annotations

from collections.abc import Mapping

from storagekit._checkup.subject import Subject
from storagekit.driver import Code
from storagekit.errors import BucketNotFoundError, ConfigurationError, InvalidNameError, ServiceError, StorageError

Words = tuple[str, str]
"""A sentence and what to do next, with places for ``{access_key}``, ``{secret_key}``, ``{region}``: where each came
from; ``{uri}``, ``{place}``; ``{said}``: what the service said; ``{word}``: its own word for it, in brackets."""

_OF_SIGNATURES = frozenset(code.value for code in (Code.BAD_CREDENTIALS, Code.EXPIRED_CREDENTIALS, Code.CLOCK_SKEW))

OF_CREDENTIALS = _OF_SIGNATURES | {Code.WRONG_ENDPOINT.value}
"""Codes that say that a request was not even looked at: its signature did not hold."""

OF_BUCKET = frozenset(code.value for code in (Code.BUCKET_NOT_FOUND, Code.NOT_FOUND, Code.INVALID_NAME))
"""Codes about the bucket: a service that says so has accepted the signature."""

_VENDOR: Mapping[str, Words] = {
    "InvalidAccessKeyId": (
        "the access key is not known there {word}",
        "Check the access key{access_key}: is it whole, and of this service?",
    ),
    "SignatureDoesNotMatch": (
        "the secret key does not fit the access key {word}",
        "Copy both keys{secret_key} again, whole and without blanks: some services say so of an unknown access key",
    ),
    "ExpiredToken": ("the temporary credentials have expired {word}", "Get new ones, the session token included"),
    "AuthorizationHeaderMalformed": (
        "the region is not the service's: {said} {word}",
        "Give the right region{region}, with --region or the backend's variable",
    ),
    "PermanentRedirect": ("the bucket lives at another endpoint {word}", "Give the endpoint of the bucket's region"),
}

_CODE: Mapping[str, Words] = {
    Code.BAD_CREDENTIALS.value: (
        "the service does not take these credentials {word}",
        "Check access key{access_key} and secret key{secret_key}",
    ),
    Code.EXPIRED_CREDENTIALS.value: (
        "the session token is not valid, or no longer {word}",
        "Get new temporary credentials; leave the session token out where the access key is a lasting one",
    ),
    Code.CLOCK_SKEW.value: (
        "the service finds this machine's clock wrong by more than 15 min {word}",
        "Set this machine's clock, and let it be kept by NTP",
    ),
    Code.WRONG_ENDPOINT.value: (
        "the region or endpoint is not the bucket's: {said} {word}",
        "Give the region{region} and endpoint that the bucket lives in",
    ),
    Code.BUCKET_NOT_FOUND.value: (
        "there is no bucket {uri} at {place}",
        "Check its spelling, or make it: storagekit mb {uri}",
    ),
    Code.INVALID_NAME.value: ("no bucket can have the name in {uri}: {said}", "Correct the bucket's name"),
}

_DENIED: Mapping[str, Words] = {
    "list": (
        "these credentials may not list {uri}: list was refused {word}",
        "Ask for the permission to list: ls, cp -r and rm -r need it, and resuming from another machine",
    ),
    "put": ("these credentials may not write to {uri}: put was refused {word}", "Ask for the permission to put"),
    "get": ("these credentials may not read from {uri}: get was refused {word}", "Ask for the permission to get"),
    "delete": (
        "these credentials may not delete in {uri}: delete was refused {word}, and the object {key} is left there",
        "Ask for the permission to delete: a finished upload deletes its record. Then: storagekit rm {uri}/{key}",
    ),
    "parts": (
        "these credentials may not begin an upload in parts in {uri}: it was refused {word}",
        "Ask for the permission for multipart uploads: whatever is larger than a part needs it",
    ),
    "abort": (
        "these credentials may not abort an upload in parts: abort was refused {word}, and one of {key} is left there",
        "Ask for the permission to abort multipart uploads, or have the service drop old ones",
    ),
}

_BUCKET_DENIED: Words = (
    "the service does not say whether {uri} exists: these credentials may not look at it, or it is another account's",
    "Check the bucket's spelling; if it is right, ask for the permission to list",
)


def plain(error: StorageError, step: str, subject: Subject, key: str = "") -> StorageError:
    """Return ``error`` with a sentence for people: same class, same place, same cause.

    A refusal without a sentence of ours keeps the service's, with what was asked for in front.
    """
    words = _words(error, step)
    if words is None:
        return reworded(error, f"{step} failed: {error.message}", error.hint)
    sentence, hint = (_filled(text, error, subject, key) for text in words)
    return reworded(error, sentence, hint)


def bucket_unclear(error: StorageError, subject: Subject) -> Words:
    """Return the words for a bucket that the credentials may not look at."""
    sentence, hint = (_filled(text, error, subject, "") for text in _BUCKET_DENIED)
    return sentence, hint


def is_no_storage_service(error: StorageError) -> bool:
    """Tell whether an answer to a listing is none of a storage service: those have a document with a code of theirs.

    The usual reasons are the port of a console, a login page, or a proxy; one that is down (5xx) is a failure like any.
    """
    if isinstance(error, (ServiceError, InvalidNameError)) or error.code in _OF_SIGNATURES:
        return False
    is_console = "API port" in error.message  # MinIO's: "S3 API Requests must be made to API port."
    return is_console or (error.status is not None and error.status < 500 and error.vendor_code is None)


def no_storage_service(error: StorageError, subject: Subject) -> StorageError:
    """Return the error for what answers in the place of a storage service: a setting to correct."""
    return ConfigurationError(
        f"what answers at {subject.place} is no storage service: HTTP status {error.status}, without a code of one",
        hint="Give the storage service's own port, not that of its console or of a page to log in",
        context=error.context,
    )


def no_bucket(subject: Subject) -> StorageError:
    """Return the error for a bucket that is not there."""
    return plain(BucketNotFoundError("no such bucket"), "bucket", subject)


def reworded(error: StorageError, message: str, hint: str | None) -> StorageError:
    """Return an error of the same class, of the same place and with the same cause, in other words."""
    made = type(error)(message, hint=hint, context=error.context)
    made.__cause__ = error.__cause__
    return made


def _words(error: StorageError, step: str) -> Words | None:
    if error.code == Code.ACCESS_DENIED.value:
        return _DENIED.get(step)
    return _VENDOR.get(error.vendor_code or "") or _CODE.get(error.code)


def _filled(text: str, error: StorageError, subject: Subject, key: str) -> str:
    """Return ``text`` with its places filled; a word that the service did not say leaves no gap."""
    word = error.vendor_code or (f"status {error.status}" if error.status else "")
    filled = text.format(
        access_key=subject.origin("access_key"),
        secret_key=subject.origin("secret_key"),
        region=subject.origin("region"),
        uri=subject.uri,
        place=subject.place or "this place",
        said=error.message,
        key=key,
        word=f"({word})" if word else "",
    )
    return filled.replace(" ,", ",").strip()
