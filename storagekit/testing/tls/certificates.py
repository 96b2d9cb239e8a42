"""Certificates: of a private authority, of none, in time and out of it; and the contexts that serve them."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Certificate:
    """A certificate with those that vouch for it, and its key, in PEM."""

    chain: bytes
    key: bytes = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """A server's context that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:  # ssl reads certificates and keys from files only
            file.write(self.key + self.chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def write(self, directory: Path) -> Path:
        """The files ``public.crt`` and ``private.key`` in ``directory``, as MinIO reads them; returns it."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "public.crt").write_bytes(self.chain)
        (directory / "private.key").write_bytes(self.key)
        return directory


class Authority:
    """A certificate authority that nobody knows but who reads its file."""

    def __init__(self, name: str = "storagekit tests") -> None:
        self._authority = trustme.CA(organization_name=name)

    def write(self, path: Path) -> str:
        """The authority's own certificate as a file, for ``ca_file`` and ``SSL_CERT_FILE``; returns its path."""
        self._authority.cert_pem.write_to_path(path)
        return str(path)

    def issue(self, *names: str, begins: float = -1.0, ends: float = 100.0) -> Certificate:
        """A certificate for host names and addresses, valid from so many days from now to so many."""
        issued = self._authority.issue_cert(*names, not_before=_in_days(begins), not_after=_in_days(ends))
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        return Certificate(chain, issued.private_key_pem.bytes())


def self_signed(name: str) -> Certificate:
    """A certificate that only itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(_in_days(-1)).not_valid_after(_in_days(1))
    certificate = builder.sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(certificate.public_bytes(Encoding.PEM), secret)


def only_tls_1_1(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make a server's context one that has nothing newer than TLS 1.1; returns it."""
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # from level 1 on OpenSSL 3 has no signature that TLS 1.1 knows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _in_days(days: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days)
