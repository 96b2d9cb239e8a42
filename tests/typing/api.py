"""Typed uses of the public API: never run, checked by ``mypy --strict`` and ``pyright``.

What is wrong here is wrong for users.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from typing_extensions import assert_type

from storagekit import (
    ConfigurationError,
    ConflictError,
    DownloadResult,
    IntegrityError,
    NotFoundError,
    ObjectInfo,
    Progress,
    RetryPolicy,
    ServiceError,
    StorageClient,
    StorageError,
    StreamingUploader,
    UploadContext,
    UploadResult,
    __version__,
    download_from_url,
    hookimpl,
    upload_to_url,
)
from storagekit._clock import Cancel
from storagekit._object_file import ObjectFile
from storagekit.driver import Driver, DriverSpec, Limits, Setting
from storagekit.drivers.memory import MemoryDriver
from storagekit.errors import PermissionDeniedError
from storagekit.types import (
    DeleteFailure,
    ObjectFailure,
    ObjectList,
    ObjectOutcome,
    ObjectPage,
    PartReceipt,
    TreeProgress,
    TreeResult,
    TreeSize,
    UnfinishedUpload,
)


def making(environment: Mapping[str, str], driver: Driver) -> None:
    assert_type(StorageClient(), StorageClient)
    StorageClient("minio", "data", endpoint="localhost:9000", access_key="a", secret_key="s", region=None)
    StorageClient(endpoint="localhost:9000", access_key="a", secret_key="s", use_ssl=False, max_connections=8)
    StorageClient(
        backend="local", root=Path("/data"), part_size=16 * 1024**2, workers=8, memory=2**28, checkpoint="local"
    )
    StorageClient(profile="work", max_speed=50_000_000)
    StorageClient(driver=driver, environment=environment, retry=RetryPolicy(attempts=3, deadline_s=10.0))
    with StorageClient("memory", bucket="data") as client:
        assert_type(client, StorageClient)
        assert_type(client.backend, str)
        assert_type(client.bucket, str | None)
        assert_type(client.uploader, StreamingUploader)
    version: str = __version__
    print(version)


def writing(client: StorageClient) -> None:
    lines: list[str] = []
    bars: list[Progress] = []
    assert_type(client.upload_url("https://host/a.tar", key="raw/a.tar"), UploadResult)
    client.upload_url("https://host/a.tar", "a", bucket="b", headers={"Authorization": "x"}, on_progress=bars.append)
    assert_type(client.upload_file(Path("a.tar")), UploadResult)
    assert_type(client.upload_file("a.tar", "raw/a.tar", metadata={"owner": "me"}, restart=True), UploadResult)
    assert_type(client.put_object("k", b"data", content_type="text/plain"), UploadResult)
    client.put_object("k", memoryview(b"data"))
    client.put_object("k", bytearray(b"data"))
    client.put_object(data=iter([b"da", b"ta"]), key="k", bucket="b", overwrite=False)
    assert_type(client.copy_object("a", "b", source_bucket="x", bucket="y", source_client=client), UploadResult)
    assert_type(client.delete_object("k"), None)
    assert_type(client.delete_objects(iter(["a", "b"])), tuple[DeleteFailure, ...])
    assert_type(client.create_bucket("b", location="eu"), None)
    assert_type(client.delete_bucket("b"), None)
    stop = Cancel()
    threading.Timer(10, stop.set)
    client.uploader.upload("https://host/a", "b", "k", on_note=lines.append, on_progress=bars.append, cancel=stop)


def streaming(client: StorageClient, stream: IO[bytes], chunks: Iterator[bytes]) -> None:
    assert_type(client.upload_from_stream(stream, "k"), UploadResult)
    client.upload_from_stream(stream=chunks, key="k", bucket="b", size=10, sha256="0" * 64, chunk_size=16 * 1024**2)
    ctx = client.init_upload("k", source_id="v1", chunk_size=16 * 1024**2)
    assert_type(ctx, UploadContext)
    assert_type(ctx.offset, int)
    assert_type(client.upload_stream(UploadContext.from_json(ctx.to_json()), chunks, total_size=10), UploadResult)
    assert_type(client.uploader.init_upload("b", "k", source_id="v1"), UploadContext)
    assert_type(client.uploader.upload_stream(ctx, stream), UploadResult)


def trees(client: StorageClient) -> None:
    told: list[ObjectOutcome] = []
    seen: list[TreeProgress] = []
    assert_type(client.upload_tree(Path("photos"), "photos", on_object=told.append, dry_run=True), TreeResult)
    assert_type(client.download_tree("photos", "restored", on_progress=seen.append, resume=False), TreeResult)
    assert_type(client.copy_tree("photos", "copy", source_client=client, source_bucket="b", verify=True), TreeResult)
    assert_type(client.delete_tree("photos"), TreeResult)
    assert_type(client.tree_size("photos"), TreeSize)
    assert_type(told[0].failure, ObjectFailure | None)
    assert_type(client.upload_tree("photos").failures, tuple[ObjectFailure, ...])


def unfinished(client: StorageClient) -> None:
    for outcome in client.abort_uploads(prefix="raw/", older_than=timedelta(days=7), dry_run=True):
        assert_type(outcome.did, str)
        assert_type(outcome.upload, UnfinishedUpload)
    assert_type(client.list_uploads(prefix="raw/"), tuple[UnfinishedUpload, ...])
    for upload in client.list_uploads():
        assert_type(upload.kept, int | None)
        assert_type(client.abort_upload(upload.key, upload.upload_id), None)


def reading(client: StorageClient) -> None:
    info = client.head_object("k", bucket="b")
    assert_type(info, ObjectInfo)
    assert_type(info.modified, datetime | None)
    assert_type(info.metadata, Mapping[str, str])
    assert_type(client.object_exists("k"), bool)
    assert_type(client.get_object("k"), bytes)
    assert_type(client.get_object(key="k", start=10, length=5).decode(), str)
    with client.open_object("k") as file:
        assert_type(file, ObjectFile)
        assert_type(file.read(10), bytes)
    assert_type(client.iter_bytes("k"), Iterator[memoryview])
    assert_type(client.download_file("k", Path("k")), DownloadResult)
    client.download_file(file_path="k", key="k", bucket="b", chunk_size=2**20, overwrite=False, resume=False)
    found = client.list_objects(prefix="raw/", delimiter="/", max_keys=10, token=None)
    assert_type(found, ObjectList)
    assert_type(found.objects, tuple[ObjectInfo, ...])
    assert_type(found.is_truncated, bool)
    sizes: list[int] = [obj["size"] for obj in found["objects"]]
    print(sizes)
    assert_type(client.iter_objects(prefix="raw/"), Iterator[ObjectInfo])
    assert_type(client.iter_pages(prefix="raw/", delimiter="/"), Iterator[ObjectPage])
    assert_type(client.list_buckets(), list[str])
    assert_type(client.bucket_exists(), bool)
    assert_type([found.key for found in client.iter_objects()], list[str])


def by_url(client: StorageClient) -> None:
    assert_type(client.presigned_url("GET", "data", "k", timedelta(hours=1)), str)
    client.presigned_url("PUT", None, "k", 60, content_type="text/plain")
    client.presigned_url(method="PUT", key="k", part=1, upload_id="id")
    assert_type(download_from_url("https://host/x", Path("x"), verify=True, workers=2), DownloadResult)
    assert_type(upload_to_url("https://host/x", "x", content_type="text/plain"), UploadResult)
    upload_to_url("https://host/x", [b"1", b"2"], size=2)


def results(result: UploadResult) -> None:
    assert_type(result.size, int)
    assert_type(result.superseded_by, str | None)
    assert_type(result.receipt, tuple[PartReceipt, ...])
    assert_type(result.notes, tuple[str, ...])
    assert_type(result.keys(), list[str])
    size: int = result["size"]
    etag: str = result["etag"]
    print(size, etag, dict(result), {**result})


def failing(client: StorageClient) -> None:
    try:
        client.get_object("k")
    except NotFoundError as error:
        assert_type(error.message, str)
        assert_type(error.context.bucket, str | None)
        assert_type(error.bucket, str | None)
        assert_type(error.key, str | None)
        assert_type(error.code, str)
    except ServiceError as error:
        assert_type(error.attempts, int)
        assert_type(error.hint, str | None)
    except (ConflictError, IntegrityError, PermissionDeniedError) as refused:
        assert_type(refused.vendor_code, str | None)
    except StorageError as error:
        error.advise("Run again")
    except (FileNotFoundError, PermissionError, ConnectionError):
        pass


def uploading(driver: Driver) -> None:
    uploader = StreamingUploader(driver, backend="mine", part_size=None, workers=4, state_directory=Path("state"))
    for source in (b"data", "a.tar", "https://host/a.tar", Path("a.tar")):
        assert_type(uploader.upload(source, "bucket", "key"), UploadResult)


def listening() -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        assert_type(progress.done, int)
        assert_type(progress.total, int | None)
        print(f"{progress.done} of {progress.total or '?'}, {progress.workers} workers")

    return show


def make(settings: Mapping[str, str]) -> Driver:
    driver: Driver = MemoryDriver(Limits(min_part=1))
    return driver


@hookimpl
def storagekit_drivers() -> Iterable[DriverSpec]:
    return [DriverSpec("mine", "My own", make, aliases=("my",), settings=(Setting("root", ("MY_ROOT",), secret=True),))]


def plugging_in() -> None:
    drivers: Callable[[], Iterable[DriverSpec]] = storagekit_drivers
    specs: Sequence[DriverSpec] = list(drivers())
    print(specs)


def mistakes(client: StorageClient, result: UploadResult, info: ObjectInfo) -> None:
    """Each of these is an error to both type checkers; an ignore that is not needed is one too."""
    client.upload_url(b"https://host/a", "k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.upload_url("https://host/a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.put_object("k", "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.put_object("k", b"data", metadata={"a": 1})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    client.upload_file("a", on_progress=lambda: None)  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    client.upload_tree("photos", workers=4)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.delete_objects(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.upload_files("a")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    client.list_objects("b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.get_object("b", "k")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.upload_from_stream("text", "k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    StorageClient("minio", access_key=b"a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(StorageError("no").secret_key)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    StorageClient(workers="4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    StreamingUploader(client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ConfigurationError()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    result.size = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    info.metadata["a"] = "b"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
