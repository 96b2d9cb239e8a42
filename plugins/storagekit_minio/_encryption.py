"""Encryption by the service, as the settings of a client say it; the bytes pass through here as they are.

Three kinds, in S3's words: SSE-S3 (``AES256``: the service's own keys), SSE-KMS (``aws:kms``: a key of its key
service), and SSE-C: a key of the customer's, which the service forgets after each request, so that every request that
touches an object's bytes has to bring it. Being settings, they hold for all objects of a client, upload records
included.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5, sha256

from storagekit.errors import ConfigurationError

_SSE = "x-amz-server-side-encryption"
_COPY_SOURCE = "x-amz-copy-source-server-side-encryption"
_KMS = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class Encryption:
    """How objects are encrypted; by default as the bucket says. ``customer_key`` is 32 bytes, and not in the repr."""

    algorithm: str | None = None
    kms_key_id: str | None = None
    kms_context: str | None = None
    customer_key: bytes | None = field(repr=False, default=None)

    @property
    def label(self) -> str:
        """What tells encryptions apart, without a secret: an upload goes on only as it was begun."""
        if self.customer_key is not None:
            return f"SSE-C {sha256(self.customer_key).hexdigest()[:16]}"
        return " ".join(filter(None, (self.algorithm, self.kms_key_id, self.kms_context)))

    def of_write(self) -> dict[str, str]:
        """Headers of a request that makes an object or begins an upload, beside those of ``of_access``."""
        found = {
            _SSE: self.algorithm,
            f"{_SSE}-aws-kms-key-id": self.kms_key_id,
            f"{_SSE}-context": base64.b64encode(self.kms_context.encode()).decode() if self.kms_context else None,
        }
        return {name: value for name, value in found.items() if value}

    def of_access(self) -> dict[str, str]:
        """Headers of a request for an object, or a part, that is there already."""
        return _customer(_SSE, self.customer_key)

    def of_source(self) -> dict[str, str]:
        """Headers that open the source of a copy."""
        return _customer(_COPY_SOURCE, self.customer_key)


def parse(given: Mapping[str, str], *, secure: bool) -> Encryption:
    """Return what the settings say. Raises ConfigurationError for what contradicts itself, or S3's rules."""
    algorithm, key = given.get("encryption") or None, given.get("customer_key")
    kms_key_id, context = given.get("kms_key_id") or None, given.get("kms_context") or None
    if algorithm not in (None, "AES256", *_KMS):
        raise ConfigurationError(
            f"encryption is {algorithm!r}", hint="It is AES256 (SSE-S3), aws:kms or aws:kms:dsse, or left out"
        )
    if (kms_key_id or context) and algorithm not in _KMS:
        raise ConfigurationError("kms_key_id and kms_context mean nothing here", hint="Add encryption = aws:kms")
    if context is not None and not _is_context(context):
        raise ConfigurationError("kms_context is no JSON object of texts", hint='Write it as {"project": "a"}')
    if key and algorithm:
        raise ConfigurationError("customer_key and encryption contradict each other", hint="Leave out one of the two")
    if key and not secure:
        raise ConfigurationError("a customer_key may not be sent over plain HTTP", hint="Use an https:// endpoint")
    return Encryption(algorithm, kms_key_id, context, _decoded(key) if key else None)


def _is_context(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigurationError(
            "customer_key is not the base64 of 32 bytes", hint="Make one with: openssl rand -base64 32"
        )
    return key


def _customer(prefix: str, key: bytes | None) -> dict[str, str]:
    if key is None:
        return {}
    return {
        f"{prefix}-customer-algorithm": "AES256",
        f"{prefix}-customer-key": base64.b64encode(key).decode(),
        f"{prefix}-customer-key-MD5": base64.b64encode(md5(key, usedforsecurity=False).digest()).decode(),
    }
