"""What each real server does otherwise, as the conformance suite is told; docs/reference/servers.md is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from storagekit.driver import Limits
from storagekit_minio._settings import parse


@dataclass(frozen=True)
class Declared:
    """``settings`` of the driver, from which its ``Limits`` follow; ``differences``: fields of ``Harness``."""

    settings: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, object] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """The limits that a driver with these settings has."""
        account = {"endpoint": "127.0.0.1:1", "access_key": "a", "secret_key": "s"}
        return parse({**account, **self.settings}).limits


SERVERS: Mapping[str, Declared] = MappingProxyType(
    {
        "minio": Declared({"server": "minio"}, {"storage_class": "REDUCED_REDUNDANCY"}),
        # A completed upload stays open as long as its object is there: the parts are the object's own segments.
        "swift": Declared(
            {"server": "s3", "max_key_bytes": "969"},
            {
                "repeats_complete": True,
                "abort_stops_parts": False,
                "forgets_completed": False,
                "one_or_the_other": False,
                "copies_have_one_etag": False,
                "agrees_on_checksums": False,
                "many": 101,
            },
        ),
        # It verifies no checksum: the driver is told so, and sends none.
        "moto": Declared(
            {"server": "s3", "checksum": "none"},
            {
                "repeats_complete": True,
                "tells_losers": False,
                "hides_gone": frozenset({"put_part", "copy_part", "complete_upload"}),
                "ids_belong_to_keys": False,
                "unconditional": frozenset({"copy", "copy_part"}),
                "refuses_own_bucket": False,
                "tells_initiated": False,
                "pages_uploads": False,
                "exact_part_pages": False,
            },
        ),
        # It streams the parts of an upload into one file as they come: what is written stays, or goes as a whole.
        "rclone": Declared(
            {"server": "s3", "sparse_complete": "false", "min_part": "1", "max_key_bytes": "255"},
            {
                "one_or_the_other": False,
                "atomic_puts": False,
                "completes_have_one_etag": False,
                "tells_losers": False,
                "keeps_refused": False,
                "replaces_parts": False,
                "gaps": False,
                "copies_parts": False,
                "agrees_on_checksums": False,
                "unconditional": frozenset({"copy", "put", "complete_upload"}),
                "copies_drop_labels": False,
                "copies_onto_itself": False,
                "keeps_what_is_above": False,
                "hides_folders": False,
                "odd_keys": frozenset({"a//b"}),
            },
        ),
        # It wants every part that was sent in a complete, and takes one that it has made once more.
        "rgw": Declared(
            {"server": "s3", "sparse_complete": "false", "max_key_bytes": "900"},
            {
                "repeats_complete": True,
                "tells_losers": False,
                "hides_gone": frozenset({"complete_upload"}),
                "agrees_on_checksums": False,
                "unconditional": frozenset({"copy_part", "complete_upload"}),
                "lost_part_sources": frozenset({"per%2Fcent", "per%cent", "what?versionId=x"}),
                "refuses_own_bucket": False,
            },
        ),
    }
)
