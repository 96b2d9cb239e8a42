"""The client's method that signs URLs: for one request of somebody who has no credentials."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from storagekit._arguments import check
from storagekit._client_base import ClientBase
from storagekit._names import check_key
from storagekit.errors import ConfigurationError

_METHODS = ("GET", "HEAD", "PUT")
_HOUR = timedelta(hours=1)


class URLMethods(ClientBase):
    """Signed URLs. ``bucket`` is the client's where None."""

    def presigned_url(
        self,
        method: str,
        bucket: str | None = None,
        key: str = "",
        expires: timedelta | float = _HOUR,
        *,
        content_type: str | None = None,
        part: int | None = None,
        upload_id: str | None = None,
    ) -> str:
        """Return a URL that allows one kind of request for one object, without credentials. It is a secret itself.

        Nothing is asked but, where neither the settings nor an answer have said it, in which region the bucket is.

        Args:
            method: ``GET`` (ranges, too), ``HEAD`` or ``PUT``.
            bucket: the client's where None. This call alone takes it in the order method, bucket, key.
            key: the object, which need not be there yet.
            expires: how long it holds, a timedelta or seconds; the longest depends on the backend (S3: 7 days).
            content_type: of a PUT: signed, so that whoever uses the URL has to send just this one. Without it they
                should send none: some kinds of signatures do not allow it.
            part: number of a part, from 1, instead of an object: the PUT goes into the upload ``upload_id``.
            upload_id: the upload of ``part``.

        Raises ConfigurationError for what makes no sense, InvalidNameError, and RequestRefusedError where the backend
        has no such URLs (``local``, ``memory``), for a time that it does not take, and where the client's own
        encryption would have to be known to whoever uses the URL.
        """
        check(content_type=content_type)
        name = self._bucket(bucket)
        lasting = expires if isinstance(expires, timedelta) else _seconds(expires)
        operation, options = _operation(method, content_type, part, upload_id)
        with self._at_object("presign", name, key):
            if method == "PUT":
                check_key(key, self._store.limits)
            sign = partial(self._store.driver.presign, operation, name, key, lasting, **options)
            return self._store.call("presign", sign, name, key)


def _seconds(expires: float) -> timedelta:
    try:
        return timedelta(seconds=expires)
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError(
            f"expires={expires!r} is no time to hold", hint="Give a timedelta, or a number of seconds"
        ) from None


def _operation(
    method: str, content_type: str | None, part: int | None, upload_id: str | None
) -> tuple[str, dict[str, Any]]:
    """Return the driver's word for a request, and its options. Raises ConfigurationError for what makes no sense."""
    if method not in _METHODS:
        raise ConfigurationError(f"no URL can be signed for {method!r}", hint=f"It is one of {', '.join(_METHODS)}")
    if (part is None) != (upload_id is None):
        raise ConfigurationError("part and upload_id belong together", hint="Give both, or neither")
    if method != "PUT" and not (part is None and content_type is None):
        raise ConfigurationError(f"content_type and part are of a PUT, not of a {method}", hint="Leave them out")
    if part is None:
        return method, {"content_type": content_type} if content_type else {}
    if content_type is not None:
        raise ConfigurationError("a part has no content_type: its upload has", hint="Leave it out")
    if part < 1 or not upload_id:
        raise ConfigurationError(f"part={part!r}: parts are counted from 1, in an upload that has an id")
    return "PUT_PART", {"part_number": part, "upload_id": upload_id}
