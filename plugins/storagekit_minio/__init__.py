"""storagekit on MinIO, Amazon S3 and every other server that speaks S3.

This module only announces the backend; the SDK is imported by the factory, when somebody uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from storagekit import hookimpl
from storagekit.driver import Driver, DriverSpec
from storagekit_minio._settings import S3_SETTINGS, SETTINGS, Settings, parse, parse_s3


def _make(parse: Callable[[Mapping[str, str]], Settings], settings: Mapping[str, str]) -> Driver:
    from storagekit_minio.driver import MinioDriver

    return MinioDriver(parse(settings))


_S3 = DriverSpec(
    "s3", "Amazon S3, with AWS's own variables and profiles", partial(_make, parse_s3), settings=S3_SETTINGS
)


@hookimpl
def storagekit_drivers() -> Sequence[DriverSpec]:
    """Return the one driver of this package."""
    return [
        DriverSpec(
            backend="minio",
            summary="MinIO, Amazon S3 and other servers that speak S3",
            factory=partial(_make, parse),
            aliases=("s3",),
            settings=SETTINGS,
            install_hint="storagekit-sdk[minio]",
            requires=("minio",),
            variants=(_S3,),
        )
    ]
