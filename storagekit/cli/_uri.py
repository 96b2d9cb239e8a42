"""What the arguments of a command mean: a path, a URL, an object of a backend, or standard input or output. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from storagekit.errors import ConfigurationError

_BACKENDS = ("obs", "minio", "s3", "oss", "local", "memory")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True)
class LocalPath:
    """A file or directory of this machine."""

    path: str


@dataclass(frozen=True)
class WebURL:
    """An http or https URL."""

    url: str

    @property
    def name(self) -> str:
        """Base name of the URL's path."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


@dataclass(frozen=True)
class StandardStream:
    """``-``: standard input as a source, standard output as a target."""


@dataclass(frozen=True)
class Remote:
    """``backend://bucket/key``; bucket or key may be empty. The key is taken as it is written, without decoding."""

    backend: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.backend}://{self.bucket}/{self.key}" if self.bucket else f"{self.backend}://"

    def named(self, base_name: str) -> Remote:
        """Return the target itself, or where it ends in a slash or is a bare bucket, with ``base_name`` below it.

        Raises ConfigurationError where a name is needed and the source has none.
        """
        if self.key and not self.key.endswith("/"):
            return self
        if not base_name:
            raise ConfigurationError(f"{self} needs a name for the object", hint="Write the whole key")
        return Remote(self.backend, self.bucket, self.key + base_name)


Location = LocalPath | WebURL | StandardStream | Remote


def parse(text: str) -> Location:
    """Return what ``text`` names. Raises ConfigurationError for ``scheme:///``, which has a key but no bucket."""
    if text == "-":
        return StandardStream()
    scheme, separator, rest = text.partition("://")
    if not separator and text.partition(":")[0] in _BACKENDS and ":" in text:
        name, _, rest = text.partition(":")
        raise ConfigurationError(
            f"{text} is no place", hint=f"Write {name}://{rest.lstrip('/')}; or ./{text} for a file of that name"
        )
    if not separator or not _SCHEME.fullmatch(scheme):
        return LocalPath(text)
    if scheme.lower() in ("http", "https"):
        from storagekit._http_rules import public_url

        public_url(text)  # raises for what is no URL
        return WebURL(text)
    if scheme.lower() == "file":
        return LocalPath(unquote(urlsplit(text).path))
    bucket, _, key = rest.partition("/")
    if key and not bucket:
        raise ConfigurationError(f"{text} names no bucket", hint=f"Write {scheme}://bucket/key")
    return Remote(scheme.lower(), bucket, key)


def parse_remote(text: str) -> Remote:
    """Return the object or bucket that ``text`` names. Raises ConfigurationError for anything else."""
    location = parse(text)
    if not isinstance(location, Remote):
        raise ConfigurationError(
            f"{text} is not an object of a backend",
            hint="Write it like minio://bucket/key; an alias of mc is a profile: --profile mc:ALIAS",
        )
    return location
