"""In which region a bucket is: as the settings say, or found once and remembered.

A signature names a region. Most servers take any, or ``us-east-1``; one that does not says which it wants, in a header
or in its answer's document. Only where it says nothing (an answer to HEAD has no document) it is asked, with a request
that every region allows. Nothing is asked beforehand: the SDK's own way costs a request per bucket, and a permission.
But for a URL that somebody else will use, who cannot learn: once for each bucket that no request was sent to yet.
"""

from __future__ import annotations

from minio.error import S3Error

from storagekit.transport import xml

USUAL = "us-east-1"
_WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "InvalidRegion"})


class Regions:
    """The regions of one account's buckets; shared by threads, which at worst find one twice."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._found: dict[str, str] = {}

    def of(self, bucket: str | None) -> str:
        """Return the region to sign a request with."""
        return self._given or self._found.get(bucket or "") or USUAL

    def is_known(self, bucket: str) -> bool:
        """Tell whether the region was given, or an answer has shown it."""
        return bool(self._given) or bucket in self._found

    def settle(self, bucket: str) -> None:
        """Remember that the region that requests are signed with is the bucket's: it answered one."""
        self._found[bucket] = self.of(bucket)

    def may_learn(self, error: S3Error) -> bool:
        """Tell whether a request failed for a region that nobody has given."""
        redirected = error.response.status in (301, 307) or "x-amz-bucket-region" in error.response.headers
        return not self._given and (redirected or error.code in _WRONG_REGION)

    def learn(self, bucket: str | None, region: str | None, signed_for: str) -> bool:
        """Remember a bucket's region; tell whether it is another than the one that the request was signed for.

        Not than the one that is known by now: another thread may have learnt it meanwhile.
        """
        if not region or region == signed_for:
            return False
        self._found[bucket or ""] = region
        return True


def told(error: S3Error) -> str | None:
    """Return the region that a refusal names."""
    named = error.response.headers.get("x-amz-bucket-region")
    return named or xml.text(xml.parse(error.response.data), "Region")


def located(document: bytes) -> str:
    """Return the region that an answer to ``?location`` names. An empty one is the oldest, ``EU`` that of 2007."""
    root = xml.parse(document)
    said = (root.text or "").strip() if root is not None else ""
    return {"": USUAL, "EU": "eu-west-1"}.get(said, said)
