"""storagekit on MinIO, Amazon S3 and every other server that speaks S3.

This module only announces the backend; the SDK is imported by the factory, when somebody uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storagekit import hookimpl
from storagekit.driver import Driver, DriverSpec
from storagekit_minio._settings import S3_SETTINGS, SETTINGS, parse, parse_s3


def _make(settings: Mapping[str, str]) -> Driver:
    from storagekit_minio.driver import MinioDriver

    return MinioDriver(parse(settings))


def _make_s3(settings: Mapping[str, str]) -> Driver:
    from storagekit_minio.driver import MinioDriver

    return MinioDriver(parse_s3(settings))


@hookimpl
def storagekit_drivers() -> Sequence[DriverSpec]:
    """Return the one driver of this package."""
    return [
        DriverSpec(
            backend="minio",
            summary="MinIO, Amazon S3 and other servers that speak S3",
            factory=_make,
            aliases=("s3",),
            settings=SETTINGS,
            install_hint="storagekit-sdk[minio]",
            requires=("minio",),
            variants=(
                DriverSpec("s3", "Amazon S3, with AWS's own variables and profiles", _make_s3, settings=S3_SETTINGS),
            ),
        )
    ]
