"""Encryption by the service, as the settings of a client say it; the bytes pass through here as they are.

Three kinds: SSE-S3 (``AES256``: the service's own keys), SSE-KMS (``aws:kms``, or with OBS ``kms``: a key of its key
service), and SSE-C: a key of the customer's, which the service forgets after each request, so that every request that
touches an object's bytes has to bring it. Being settings, they hold for all objects of a client, upload records
included.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import md5, sha256

from storagekit.errors import ConfigurationError
from storagekit.transport.dialect import Dialect
from storagekit.transport.settings import Given


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

    def of_write(self, dialect: Dialect) -> dict[str, str]:
        """Headers of a request that makes an object or begins an upload, beside those of ``of_access``."""
        context = self.kms_context
        found = {
            dialect.encryption: self.algorithm,
            f"{dialect.encryption}-{dialect.kms_key}": self.kms_key_id,
            f"{dialect.encryption}-context": base64.b64encode(context.encode()).decode() if context else None,
        }
        return {name: value for name, value in found.items() if value}

    def of_access(self, dialect: Dialect) -> dict[str, str]:
        """Headers of a request for an object, or a part, that is there already."""
        return _customer(dialect.encryption, self.customer_key)

    def of_source(self, dialect: Dialect) -> dict[str, str]:
        """Headers that open the source of a copy."""
        return _customer(f"{dialect.source}-server-side-encryption", self.customer_key)


def parse(given: Given, kms: Sequence[str], *, secure: bool) -> Encryption:
    """Return what the settings say; ``kms`` are the service's words for keys of its key service.

    Raises ConfigurationError for what contradicts itself, or the service's rules.
    """
    algorithm, key = given.text("encryption"), given.text("customer_key")
    kms_key_id, context = given.text("kms_key_id"), given.text("kms_context")
    if algorithm not in (None, "AES256", *kms):
        words = " or ".join(("AES256 (SSE-S3)", *kms))
        raise ConfigurationError(f"encryption is {algorithm!r}", hint=f"It is {words}, or left out")
    if (kms_key_id or context) and algorithm not in kms:
        raise ConfigurationError("kms_key_id and kms_context mean nothing here", hint=f"Add encryption = {kms[0]}")
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
