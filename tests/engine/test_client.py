"""StorageClient: every method on the memory backend, where it works and where it does not."""

from __future__ import annotations

import copy
import inspect
import io
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient, errors
from storagekit._arguments import check
from storagekit.cli._uri import Remote, parse
from storagekit.driver import Code
from storagekit.drivers.memory import LIMITS, MemoryDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import Call, FakeClock, FaultyDriver, fault
from storagekit.testing.http_source import Behaviour, SourceServer
from storagekit.types import DeleteFailure, ObjectPage, WriteOptions
from tests.engine.conftest import BUCKET, PART, Service

DATA = bytes(range(256)) * 20  # 5 parts of PART
PUBLIC = {
    name: member for name, member in inspect.getmembers(StorageClient, inspect.isfunction) if not name.startswith("_")
}


def client_of(driver: Any, **options: Any) -> StorageClient:
    settings = {"part_size": PART, "workers": 3, "clock": FakeClock(), **options}
    return StorageClient("memory", BUCKET, driver=driver, **settings)


@pytest.fixture
def client(service: Service) -> StorageClient:
    return client_of(service.driver)


def store(service: Service, *keys: str) -> None:
    for key in keys:
        service.memory.put(BUCKET, key, BytesBody(b"x"), WriteOptions())


def keys_of(service: Service) -> list[str]:
    return [info.key for info in service.memory.list(BUCKET).objects]


def refusing_part(number: int) -> Callable[[Call], Exception | None]:
    return lambda call: fault(Code.ACCESS_DENIED) if (call.operation, call.number) == ("put_part", number) else None


def leave_unfinished(service: Service, key: str = "k", **options: Any) -> None:
    """Upload until the fourth of five parts is refused; parts and record stay."""
    service.fails(refusing_part(4))
    with pytest.raises(errors.PermissionDeniedError):
        client_of(service.driver, **{"workers": 1, **options}).put_object(key, DATA)
    service.heals()


# --- names of arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_has_a_name(name: str) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(PUBLIC[name]).parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_bucket_never_stands_beside_a_key_without_its_name(name: str) -> None:
    parameters = inspect.signature(PUBLIC[name]).parameters
    names_it_first = ("create_bucket", "delete_bucket", "bucket_exists", "presigned_url")
    if name not in names_it_first and "bucket" in parameters:
        assert inspect.Parameter.KEYWORD_ONLY == parameters["bucket"].kind


def test_names_may_come_in_any_order(service: Service, client: StorageClient, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"file")

    client.upload_file(bucket=BUCKET, key="k", file_path=tmp_path / "p")
    client.put_object(data=b"bytes", bucket=BUCKET, key="j")
    client.download_file(file_path=tmp_path / "q", key="k", bucket=BUCKET)

    assert b"file" == (tmp_path / "q").read_bytes() == client.get_object(bucket=BUCKET, key="k")
    assert ["j", "k"] == [info.key for info in client.list_objects(max_keys=10, prefix="", bucket=BUCKET).objects]


@pytest.mark.parametrize(
    "call",
    [
        lambda c, path: c.get_object(BUCKET, "k"),
        lambda c, path: c.head_object(BUCKET, "k"),
        lambda c, path: c.object_exists(BUCKET, "k"),
        lambda c, path: c.delete_object(BUCKET, "k"),
        lambda c, path: c.delete_objects(BUCKET, ["k"]),
        lambda c, path: c.open_object(BUCKET, "k"),
        lambda c, path: c.put_object(BUCKET, "k", b"new"),
        lambda c, path: c.put_object(BUCKET, "k"),
        lambda c, path: c.upload_file(BUCKET, "k", path),
        lambda c, path: c.upload_from_stream(BUCKET, "k", io.BytesIO(b"new")),
        lambda c, path: c.upload_url(BUCKET, "k", "http://127.0.0.1:1/"),
        lambda c, path: c.upload_url(BUCKET, "k"),
        lambda c, path: c.download_file(BUCKET, "k", path),
        lambda c, path: c.download_file(BUCKET, "k"),
        lambda c, path: c.copy_object(BUCKET, "k", BUCKET, "j"),
        lambda c, path: c.copy_object(BUCKET, "k"),
        lambda c, path: c.list_objects(BUCKET),
        lambda c, path: next(c.iter_objects(BUCKET)),
        lambda c, path: c.list_uploads(BUCKET),
        lambda c, path: c.abort_upload(BUCKET, "k", "id"),
        lambda c, path: c.init_upload(BUCKET, "k"),
    ],
)
def test_arguments_in_the_order_bucket_and_key_fail_loudly_and_change_nothing(
    service: Service, client: StorageClient, tmp_path: Path, call: Callable[[StorageClient, Path], Any]
) -> None:
    store(service, "k")
    (tmp_path / "p").write_bytes(b"new")

    with pytest.raises((TypeError, errors.ConfigurationError, errors.NotFoundError)):
        call(client, tmp_path / "p")

    assert (["k"], b"x", b"new") == (keys_of(service), service.content(), (tmp_path / "p").read_bytes())


WRONG: Any = 7


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("bucket", lambda c, wrong: c.head_object("k", bucket=wrong)),
        ("bucket", lambda c, wrong: c.put_object("k", b"new", bucket=wrong)),
        ("bucket", lambda c, wrong: c.create_bucket(wrong)),
        ("bucket", lambda c, wrong: c.delete_bucket(wrong)),
        ("bucket", lambda c, wrong: c.bucket_exists(wrong)),
        ("bucket", lambda c, wrong: c.copy_object("k", "j", source_bucket=wrong)),
        ("location", lambda c, wrong: c.create_bucket("new", wrong)),
        ("prefix", lambda c, wrong: c.list_objects(prefix=wrong)),
        ("prefix", lambda c, wrong: list(c.iter_objects(prefix=wrong))),
        ("prefix", lambda c, wrong: c.list_uploads(prefix=wrong)),
        ("delimiter", lambda c, wrong: list(c.iter_pages(delimiter=wrong))),
        ("start_after", lambda c, wrong: c.list_objects(start_after=wrong)),
        ("token", lambda c, wrong: c.list_objects(token=wrong)),
        ("max_keys", lambda c, wrong: c.list_objects(max_keys=wrong and "5")),
        ("start", lambda c, wrong: c.get_object("k", start=wrong and "a")),
        ("length", lambda c, wrong: c.get_object("k", length=wrong and 1.5)),
        ("chunk_size", lambda c, wrong: c.open_object("k", chunk_size=wrong and "1MiB")),
        ("chunk_size", lambda c, wrong: c.download_file("k", "out", chunk_size=wrong and "1MiB")),
        ("chunk_size", lambda c, wrong: c.put_object("k", b"new", chunk_size=wrong and "1MiB")),
        ("chunk_size", lambda c, wrong: c.init_upload("k", chunk_size=wrong and True)),
        ("file_path", lambda c, wrong: c.download_file("k", wrong)),
        ("file_path", lambda c, wrong: c.upload_file(wrong and None, "k")),
        ("file_path", lambda c, wrong: c.upload_file(wrong and b"path", "k")),
        ("on_progress", lambda c, wrong: c.download_file("k", "out", on_progress=wrong)),
        ("cancel", lambda c, wrong: c.download_file("k", "out", cancel=wrong)),
        ("cancel", lambda c, wrong: c.open_object("k", cancel=wrong)),
        ("keys", lambda c, wrong: c.delete_objects(wrong and None)),
        ("upload_id", lambda c, wrong: c.abort_upload("k", wrong)),
        ("url", lambda c, wrong: c.upload_url(wrong, "k")),
        ("headers", lambda c, wrong: c.upload_url("http://127.0.0.1:1/", "k", headers=wrong)),
        ("ctx", lambda c, wrong: c.upload_stream(wrong, io.BytesIO())),
        ("workers", lambda c, wrong: client_of(MemoryDriver(), workers=wrong and "4")),
        ("memory", lambda c, wrong: client_of(MemoryDriver(), memory=wrong and "64MiB")),
        ("part_size", lambda c, wrong: client_of(MemoryDriver(), part_size=wrong and 1.5)),
        ("retry", lambda c, wrong: client_of(MemoryDriver(), retry=wrong)),
    ],
)
def test_an_argument_of_another_kind_is_named_before_any_request(
    service: Service, client: StorageClient, name: str, call: Callable[[StorageClient, Any], Any]
) -> None:
    store(service, "k")
    service.heals()

    with pytest.raises(errors.ConfigurationError, match=f"^{name} is ") as caught:
        call(client, WRONG)

    assert (True, {}) == (bool(caught.value.hint), service.driver.counts)


class Index:
    """A number of another library."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __ge__(self, other: int) -> bool:
        return self.value >= other


@pytest.mark.parametrize(("start", "holds"), [(Index(3), True), (Index(-3), False), (0, True), (False, False)])
def test_a_whole_number_may_be_another_librarys(start: Any, holds: bool) -> None:
    if holds:
        check(start=start)
    else:
        with pytest.raises(errors.ConfigurationError, match="start"):
            check(start=start)


def test_a_wrong_value_that_may_be_long_or_secret_is_not_shown() -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        check(url=b"https://host/?signature=hush")
    assert "url is of type bytes. Give text" == str(caught.value)


# --- making -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_ssl", [False, True, "false"])
def test_an_endpoint_without_a_backend_is_minio(use_ssl: Any) -> None:
    with StorageClient(
        endpoint="127.0.0.1:9", access_key="a", secret_key="hush-hush", use_ssl=use_ssl, environment={}
    ) as client:
        assert "StorageClient(backend='minio', bucket=None)" == repr(client)


def test_a_url_as_the_backend_is_refused() -> None:
    with pytest.raises(errors.BackendNotInstalledError, match="no backend"):
        StorageClient("http://127.0.0.1:9000", "bucket", environment={})


def test_a_call_without_any_bucket_says_so(service: Service) -> None:
    client = StorageClient(driver=service.driver)
    for call in (
        lambda: client.get_object("k"),
        lambda: client.put_object("k", b""),
        client.list_objects,
        client.list_uploads,
        client.create_bucket,
    ):
        with pytest.raises(errors.ConfigurationError, match="no bucket was named"):
            call()


# --- writing ----------------------------------------------------------------------------------------------------------


def test_put_object_stores_bytes_with_what_was_said_of_them(service: Service, client: StorageClient) -> None:
    result = client.put_object(key="a/b.json", data=b"{}", metadata={"owner": "Ärzte"})

    info = client.head_object("a/b.json")
    assert ("a/b.json", BUCKET, 2) == (result["key"], result.bucket, result.get("size"))
    assert (2, result.etag, "application/json", {"owner": "Ärzte"}) == (
        info["size"],
        info["etag"],
        info["content_type"],
        info["metadata"],
    )
    assert info.modified is info["last_modified"] is not None


@pytest.mark.parametrize(
    "data",
    [b"data", bytearray(b"data"), memoryview(b"data"), io.BytesIO(b"data"), [b"da", b"", b"ta"], iter([b"data"])],
    ids=lambda data: type(data).__name__,
)
def test_put_object_and_upload_from_stream_take_bytes_files_and_iterables(client: StorageClient, data: Any) -> None:
    client.put_object("k", data)
    assert b"data" == client.get_object("k")


@pytest.mark.parametrize(
    "make",
    [
        lambda: "text",
        lambda: Path("file"),
        lambda: None,
        lambda: 17,
        lambda: io.StringIO("text"),
        lambda: ["text"],
        lambda: [1, 2],
    ],
)
@pytest.mark.parametrize("name", ["data", "stream"])
def test_what_is_not_bytes_is_refused_with_a_hint(
    service: Service, client: StorageClient, name: str, make: Callable[[], Any]
) -> None:
    method: Any = client.put_object if name == "data" else client.upload_from_stream
    with pytest.raises(errors.ConfigurationError) as caught:
        method(**{"key": "k", name: make()})
    assert caught.value.hint
    assert [] == keys_of(service) == service.left_over()


def test_a_content_type_that_is_given_wins(client: StorageClient) -> None:
    client.put_object("k.json", b"", content_type="text/x-odd")
    assert "text/x-odd" == client.head_object("k.json").content_type


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 5 * PART])
def test_a_file_goes_in_parts_where_it_is_larger_than_one(client: StorageClient, tmp_path: Path, size: int) -> None:
    file = tmp_path / "shard.tar"
    file.write_bytes(os.urandom(size))

    result = client.upload_file(file)

    assert ("shard.tar", size, max(1, -(-size // PART))) == (result.key, result.size, result.parts)
    assert file.read_bytes() == client.get_object("shard.tar")


def test_chunk_size_is_the_part_size_of_one_call(client: StorageClient) -> None:
    assert 20 == client.upload_from_stream(io.BytesIO(DATA), "k", chunk_size=256, size=len(DATA)).parts


def test_a_missing_file_is_named(client: StorageClient, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="no such file"):
        client.upload_file(tmp_path / "nothing", "k")


def test_a_url_is_streamed_and_its_headers_are_sent(client: StorageClient) -> None:
    with SourceServer(DATA, name="a.json") as source:
        result = client.upload_url(url=source.url, key="k.json", headers={"Authorization": "mine"})
        assert {"mine"} == {request.headers.get("authorization") for request in source.requests}

    assert (DATA, "application/json") == (client.get_object("k.json"), client.head_object("k.json").content_type)
    assert len(DATA) == result.sent


def test_a_url_that_is_not_there_is_not_an_object_that_is_not_there(client: StorageClient) -> None:
    with SourceServer(DATA, behaviour=Behaviour(storm_requests=9, storm_status=404)) as source:
        with pytest.raises(errors.NotFoundError) as caught:
            client.upload_url(source.url, "k")
    assert ("http", None, None) == (caught.value.backend, caught.value.bucket, caught.value.key)


@pytest.mark.parametrize("promise", [{"size": len(DATA) + 1}, {"size": len(DATA) - 1}, {"sha256": "0" * 64}])
def test_a_stream_that_is_not_what_was_promised_is_not_published(
    service: Service, client: StorageClient, promise: dict[str, Any]
) -> None:
    with pytest.raises(errors.IntegrityError) as caught:
        client.upload_from_stream(iter([DATA]), "k", **promise)
    assert ("memory", BUCKET, "k") == (caught.value.backend, caught.value.bucket, caught.value.key)
    assert not client.object_exists("k")


def test_what_the_stream_raises_passes_through(client: StorageClient) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA
        raise KeyError("theirs")

    with pytest.raises(KeyError, match="theirs"):
        client.upload_from_stream(broken(), "k")
    assert not client.object_exists("k")


@pytest.mark.parametrize(
    "write",
    [
        lambda c: c.put_object("k", b"new", overwrite=False),
        lambda c: c.put_object("k", DATA, overwrite=False),
        lambda c: c.upload_from_stream(iter([b"new"]), "k", overwrite=False),
        lambda c: c.copy_object("other", "k", overwrite=False),
    ],
)
def test_without_overwrite_an_object_is_left_alone_and_no_byte_moves(
    service: Service, client: StorageClient, write: Callable[[StorageClient], Any]
) -> None:
    store(service, "k", "other")

    with pytest.raises(errors.ConflictError) as caught:
        write(client)

    assert ("k", "precondition", b"x") == (caught.value.key, caught.value.code, service.content())
    assert {"put", "put_part", "create_upload", "copy"}.isdisjoint(service.driver.counts)


def test_without_overwrite_a_new_object_is_written(client: StorageClient) -> None:
    client.put_object("k", b"new", overwrite=False)
    assert b"new" == client.get_object("k")


@pytest.mark.parametrize("key", ["", "/k", "a/../b", ".storagekit/x", "x" * 2000, "\ud800"])
def test_a_key_that_cannot_be_written_is_refused_with_its_place(client: StorageClient, key: str) -> None:
    with pytest.raises(errors.InvalidNameError) as caught:
        client.put_object(key, b"")
    assert (BUCKET, key, "upload", "invalid_name") == (
        caught.value.bucket,
        caught.value.key,
        caught.value.operation,
        caught.value.code,
    )


@pytest.mark.parametrize("key", ["", None, 5, b"k"])
@pytest.mark.parametrize(
    "call",
    [
        lambda c, key: c.get_object(key),
        lambda c, key: c.head_object(key),
        lambda c, key: c.object_exists(key),
        lambda c, key: c.open_object(key),
        lambda c, key: list(c.iter_bytes(key)),
        lambda c, key: c.download_file(key, "nowhere"),
        lambda c, key: c.delete_object(key),
        lambda c, key: c.delete_objects(["k", key]),
        lambda c, key: c.copy_object(key, "j"),
        lambda c, key: c.copy_object("k", key),
        lambda c, key: c.abort_upload(key, "id"),
        lambda c, key: c.put_object(key, b""),
        lambda c, key: c.init_upload(key),
    ],
)
def test_what_is_no_key_reaches_no_service_where_it_could_mean_the_bucket(
    service: Service, client: StorageClient, call: Callable[[StorageClient, Any], Any], key: Any
) -> None:
    service.heals()
    with pytest.raises(errors.InvalidNameError):
        call(client, key)
    assert {} == service.driver.counts


# --- two phases -------------------------------------------------------------------------------------------------------


def test_two_phases_go_on_where_the_first_run_stopped(service: Service, client: StorageClient) -> None:
    def cut(data: bytes) -> Iterator[bytes]:
        yield data[: 3 * PART + 10]
        raise OSError("cut")

    ctx = client.init_upload("k", source_id="v1")
    with pytest.raises(OSError, match="cut"):
        client.upload_stream(ctx, cut(DATA), total_size=len(DATA))

    ctx = client.init_upload(key="k", source_id="v1")
    result = client.upload_stream(ctx, iter([DATA[ctx.offset :]]), total_size=len(DATA))

    assert (3 * PART, 3 * PART, DATA) == (ctx.offset, result.kept, client.get_object("k"))
    assert [] == service.left_over()


def test_a_stream_that_is_short_of_its_total_is_not_published(client: StorageClient) -> None:
    ctx = client.init_upload("k", source_id="v1")
    with pytest.raises(errors.SourceTruncatedError) as caught:
        client.upload_stream(ctx, iter([DATA]), total_size=len(DATA) + 1)
    assert "k" == caught.value.key
    assert not client.object_exists("k")


# --- copying ----------------------------------------------------------------------------------------------------------


def test_a_copy_is_made_on_the_server_and_keeps_type_and_metadata(service: Service, client: StorageClient) -> None:
    client.put_object("a.json", DATA, metadata={"owner": "me"})
    service.driver.counts.clear()

    result = client.copy_object(source_key="a.json", key="b")

    info = client.head_object("b")
    assert (DATA, "application/json", "me") == (client.get_object("b"), info.content_type, info.metadata["owner"])
    assert ("b", len(DATA), 1) == (result.key, result.size, service.driver.counts["copy"])
    assert "put_part" not in service.driver.counts


def test_a_copy_takes_what_is_said_of_it(client: StorageClient) -> None:
    client.put_object("a.json", DATA, metadata={"owner": "me"})

    client.copy_object("a.json", "b", metadata={"state": "new"}, content_type="text/plain")

    info = client.head_object("b")
    assert ("text/plain", "new", None) == (info.content_type, info.metadata["state"], info.metadata.get("owner"))


def test_a_copy_goes_from_one_bucket_to_another(service: Service, client: StorageClient) -> None:
    service.memory.create_bucket("other")
    client.put_object("k", DATA)
    client.copy_object("k", "k", source_bucket=BUCKET, bucket="other")
    assert DATA == client.get_object("k", bucket="other")


def test_a_copy_between_two_services_streams_through(service: Service, client: StorageClient) -> None:
    elsewhere = FaultyDriver(MemoryDriver())
    elsewhere.create_bucket("far")
    other = StorageClient("memory", "far", driver=elsewhere, clock=FakeClock())
    client.put_object("k", DATA, metadata={"owner": "me"})

    result = other.copy_object("k", "copied", source_client=client)

    assert (DATA, "me") == (other.get_object("copied"), other.head_object("copied").metadata["owner"])
    assert ("copied", "far", False) == (result.key, result.bucket, "copy" in elsewhere.counts)


def test_a_missing_source_of_a_copy_is_named(client: StorageClient) -> None:
    with pytest.raises(errors.ObjectNotFoundError) as caught:
        client.copy_object("nothing", "k")
    assert (BUCKET, "nothing") == (caught.value.bucket, caught.value.key)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, None), (0, 10), (0, 0), (5, None), (5, 3), (5119, 1), (5119, 99), (5120, None), (6000, 5), (1000, 3000)],
)
def test_get_object_gives_a_slice(client: StorageClient, start: int, length: int | None) -> None:
    client.put_object("k", DATA)
    expected = DATA[start : None if length is None else start + length]
    assert expected == client.get_object("k", start=start, length=length)


@pytest.mark.parametrize("range_", [{"start": -1}, {"length": -1}])
def test_a_negative_range_is_refused(client: StorageClient, range_: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="negative"):
        client.get_object("k", **range_)


def test_an_object_is_a_file(client: StorageClient) -> None:
    client.put_object("k", b"one\ntwo\n")
    with client.open_object("k") as file:
        assert [b"one\n", b"two\n"] == list(file)
        assert (4, b"two\n") == (file.seek(4), file.read())


def test_a_download_is_a_file(client: StorageClient, tmp_path: Path) -> None:
    client.put_object("k", DATA)

    result = client.download_file("k", tmp_path / "new" / "k", chunk_size=1000)

    assert DATA == (tmp_path / "new" / "k").read_bytes()
    assert ("k", len(DATA), str(tmp_path / "new" / "k")) == (result["key"], result["size"], result["path"])


@pytest.mark.parametrize("size", [0, 10, 5 * PART], ids=["empty", "one put", "parts"])
def test_a_result_says_the_object_as_the_command_line_takes_it(
    client: StorageClient, tmp_path: Path, size: int
) -> None:
    sent = client.put_object("a b/ü?.bin", bytes(size))
    fetched = client.download_file("a b/ü?.bin", tmp_path / "file")
    copied = client.copy_object("a b/ü?.bin", "copy")

    assert f"memory://{BUCKET}/a b/ü?.bin" == sent.uri == sent["uri"] == fetched.uri
    assert f"memory://{BUCKET}/copy" == copied.uri
    assert Remote("memory", BUCKET, "a b/ü?.bin") == parse(sent.uri)


def test_a_download_without_overwrite_leaves_the_file_alone(client: StorageClient, tmp_path: Path) -> None:
    client.put_object("k", DATA)
    (tmp_path / "k").write_bytes(b"mine")
    with pytest.raises(errors.ConflictError):
        client.download_file("k", tmp_path / "k", overwrite=False)
    assert b"mine" == (tmp_path / "k").read_bytes()


@pytest.mark.parametrize(
    "read",
    [
        lambda c, path: c.head_object("nothing"),
        lambda c, path: c.get_object("nothing"),
        lambda c, path: c.get_object("nothing", start=1),
        lambda c, path: c.open_object("nothing"),
        lambda c, path: list(c.iter_bytes("nothing")),
        lambda c, path: c.download_file("nothing", path / "out"),
    ],
)
def test_a_missing_object_is_an_error_that_names_it(
    client: StorageClient, tmp_path: Path, read: Callable[[StorageClient, Path], Any]
) -> None:
    with pytest.raises(errors.ObjectNotFoundError) as caught:
        read(client, tmp_path)
    error = caught.value
    assert ("memory", BUCKET, "nothing", "not_found") == (error.backend, error.bucket, error.key, error.code)
    assert error.message
    assert [] == list(tmp_path.iterdir())


def test_an_object_exists_or_not(service: Service, client: StorageClient) -> None:
    store(service, "k")
    assert [True, False, False] == [
        client.object_exists("k"),
        client.object_exists("nothing"),
        client.object_exists("k", bucket="absent"),
    ]


def test_a_refused_look_is_no_missing_object(service: Service, client: StorageClient) -> None:
    service.fails(lambda call: fault(Code.ACCESS_DENIED))
    with pytest.raises(errors.PermissionDeniedError):
        client.object_exists("k")


# --- listing ----------------------------------------------------------------------------------------------------------

TREE = [".storagekit/a", ".storagekit/uploads/b", "a", "b/1", "b/2", "c", "d/e/f", "d/g"]


def test_a_listing_answers_like_a_dictionary(service: Service, client: StorageClient) -> None:
    store(service, *TREE)

    found = client.list_objects(prefix="b/")

    assert [("b/1", 1), ("b/2", 1)] == [(obj["key"], obj["size"]) for obj in found["objects"]]
    assert (None, False, ()) == (found["token"], found["is_truncated"], found["prefixes"])
    assert "ObjectList(objects: 2, prefixes: 0, complete)" == repr(found)
    with pytest.raises(FrozenInstanceError):
        found.token = "x"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("max_keys", range(1, 8))
def test_answers_of_any_size_make_up_the_whole_listing(
    service: Service, client: StorageClient, max_keys: int, delimiter: str
) -> None:
    store(service, *TREE)
    names: list[str] = []
    token: str | None = None
    while True:
        found = client.list_objects(max_keys=max_keys, delimiter=delimiter, token=token)
        page = [info.key for info in found.objects] + list(found.prefixes)
        assert len(page) <= max_keys
        assert len(page) == max_keys or not found.is_truncated
        names += page
        token = found.token
        if token is None:
            break
    assert (["a", "b/", "c", "d/"] if delimiter else TREE[2:]) == sorted(names)


class CountingDriver(MemoryDriver):
    """Remembers how many names each listing asked for."""

    def list(self, *arguments: Any, **options: Any) -> ObjectPage:
        self.asked = [*getattr(self, "asked", []), arguments[5]]
        return super().list(*arguments, **options)


def test_more_than_a_page_of_the_service_is_gathered() -> None:
    driver = CountingDriver()
    driver.create_bucket(BUCKET)
    keys = [f"{number:05}" for number in range(2500)]
    for key in keys:
        driver.put(BUCKET, key, BytesBody(b"x"), WriteOptions())

    found = client_of(driver).list_objects(max_keys=2300)

    assert ([1000, 1000, 300], True) == (driver.asked, found.is_truncated)
    assert keys[:2300] == [info.key for info in found.objects]


def test_all_objects_are_iterated(service: Service, client: StorageClient) -> None:
    keys = [f"{number:05}" for number in range(1200)]
    store(service, *keys)
    assert keys == [info["key"] for info in client.iter_objects()]


class SparseDriver(MemoryDriver):
    """Answers each listing with an empty page first, as MinIO and DynamoDB-backed services may."""

    def list(self, bucket: str, *arguments: Any, **options: Any) -> ObjectPage:
        token = arguments[3] if len(arguments) > 3 else options.get("token")
        return super().list(bucket, *arguments, **options) if token else ObjectPage((), (), "k")


def test_an_empty_page_with_a_successor_is_not_the_end() -> None:
    driver = SparseDriver()
    driver.create_bucket(BUCKET)
    driver.put(BUCKET, "k", BytesBody(b"x"), WriteOptions())

    found = client_of(driver).list_objects()

    assert (["k"], False) == ([info.key for info in found.objects], found.is_truncated)


def test_a_listing_begins_behind_a_key(service: Service, client: StorageClient) -> None:
    store(service, *TREE)
    assert ["c", "d/e/f", "d/g"] == [info.key for info in client.list_objects(start_after="b/2").objects]
    assert ["c", "d/e/f", "d/g"] == [info.key for info in client.iter_objects(start_after="b/2")]


@pytest.mark.parametrize("max_keys", [0, -1])
def test_a_listing_of_nothing_is_refused(client: StorageClient, max_keys: int) -> None:
    with pytest.raises(errors.ConfigurationError, match="max_keys"):
        client.list_objects(max_keys=max_keys)


def test_a_listing_of_an_absent_bucket_is_an_error(client: StorageClient) -> None:
    for run in (client.list_objects, lambda **a: list(client.iter_objects(**a)), client.list_uploads):
        with pytest.raises(errors.BucketNotFoundError) as caught:
            run(bucket="absent")
        assert "absent" == caught.value.bucket


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_deleting_is_done_once_and_again(service: Service, client: StorageClient) -> None:
    store(service, "k", "other")
    client.delete_object("k")
    client.delete_object(key="k")
    assert ["other"] == keys_of(service)


def test_any_number_of_objects_is_deleted_a_thousand_a_request(service: Service, client: StorageClient) -> None:
    keys = [f"{number:05}" for number in range(2500)]
    store(service, *keys, "other")

    assert () == client.delete_objects(iter(keys))

    assert (["other"], 3) == (keys_of(service), service.driver.counts["delete_many"])
    assert () == client.delete_objects([])


class KeepingDriver(MemoryDriver):
    """Refuses to delete keys that end in ``locked``."""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        locked = [key for key in keys if key.endswith("locked")]
        super().delete_many(bucket, [key for key in keys if key not in locked])
        return [DeleteFailure(key, "access_denied", "it is locked") for key in locked]


def test_what_could_not_be_deleted_is_named_key_by_key() -> None:
    driver = KeepingDriver()
    driver.create_bucket(BUCKET)
    client = client_of(driver)

    failures = client.delete_objects(
        [f"{number}-locked" if number % 700 == 0 else f"{number}" for number in range(1500)]
    )

    assert [("0-locked", "access_denied"), ("700-locked", "access_denied"), ("1400-locked", "access_denied")] == [
        (failure["key"], failure.code) for failure in failures
    ]


@pytest.mark.parametrize("keys", ["key", b"key"])
def test_one_text_is_not_several_keys(service: Service, client: StorageClient, keys: Any) -> None:
    store(service, "k", "e", "y")
    with pytest.raises(errors.ConfigurationError, match="one text"):
        client.delete_objects(keys)
    assert 3 == len(keys_of(service))


def test_deleting_in_an_absent_bucket_is_an_error(client: StorageClient) -> None:
    for run in (
        lambda: client.delete_object("k", bucket="absent"),
        lambda: client.delete_objects(["k"], bucket="absent"),
    ):
        with pytest.raises(errors.BucketNotFoundError) as caught:
            run()
        assert "absent" == caught.value.bucket


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_a_bucket_is_made_seen_and_deleted(client: StorageClient) -> None:
    client.create_bucket(bucket="new", location="anywhere")
    assert (True, [BUCKET, "new"]) == (client.bucket_exists("new"), client.list_buckets())

    client.delete_bucket(bucket="new")
    assert (False, [BUCKET]) == (client.bucket_exists(bucket="new"), client.list_buckets())


def test_a_bucket_is_made_once_and_deleted_once(client: StorageClient) -> None:
    with pytest.raises(errors.ConflictError) as exists:
        client.create_bucket()
    client.delete_bucket(BUCKET)
    with pytest.raises(errors.BucketNotFoundError) as gone:
        client.delete_bucket(BUCKET)
    assert ("bucket_exists", BUCKET, BUCKET) == (exists.value.code, exists.value.bucket, gone.value.bucket)


def test_a_bucket_with_an_object_is_not_deleted_and_nothing_in_it_is_touched(service: Service) -> None:
    leave_unfinished(service)
    store(service, "other")
    before = (keys_of(service), service.left_over())

    with pytest.raises(errors.ConflictError, match="holds objects"):
        client_of(service.driver).delete_bucket(BUCKET)

    assert before == (keys_of(service), service.left_over())


def test_upload_records_do_not_keep_a_bucket_from_being_deleted(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)

    client.delete_bucket(BUCKET)

    assert ([], 1) == (client.list_buckets(), service.driver.counts["abort_upload"])


def once(operation: str, code: Code) -> Callable[[Call], Exception | None]:
    return lambda call: fault(code) if (call.operation, call.nth) == (operation, 1) else None


@pytest.mark.parametrize("code", [Code.STALE_CONNECTION, Code.TIMEOUT, Code.SERVER])
def test_what_did_not_happen_to_a_bucket_is_tried_once_more(
    service: Service, client: StorageClient, code: Code
) -> None:
    service.fails(before=once("create_bucket", code))
    client.create_bucket("new")
    service.fails(before=once("delete_bucket", code))
    client.delete_bucket(BUCKET)
    assert ["new"] == client.list_buckets()


def test_a_lost_answer_to_a_delete_is_a_success_and_to_a_create_it_is_open(
    service: Service, client: StorageClient
) -> None:
    service.fails(after=once("delete_bucket", Code.NETWORK))
    client.delete_bucket(BUCKET)
    service.fails(after=once("create_bucket", Code.NETWORK))
    with pytest.raises(errors.ServiceError):
        client.create_bucket("new")
    assert (["new"], 1) == (client.list_buckets(), service.driver.counts["create_bucket"])


# --- unfinished uploads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_unfinished_uploads_show_what_is_kept_and_whose_they_are(service: Service, exact: bool) -> None:
    service.memory.limits = replace(LIMITS, exact_upload_listing=exact)
    leave_unfinished(service, "a/k")
    foreign = service.memory.create_upload(BUCKET, "a/z", WriteOptions(), None)
    client = client_of(service.driver)

    found = client.list_uploads()

    mine = found[0]
    assert ("a/k", BUCKET, 3, 3 * PART, len(DATA), PART, True) == (
        mine["key"],
        mine.bucket,
        mine.parts,
        mine.kept,
        mine.size,
        mine.part_size,
        mine.ours,
    )
    assert mine.initiated is not None
    assert "5,120 bytes in memory" == mine.source
    assert ([] if exact else [("a/z", foreign.id, False, 0, None)]) == [
        (one.key, one.upload_id, one.ours, one.kept, one.source) for one in found[1:]
    ]
    assert ([foreign.id], ["a/k"]) == (
        [one.upload_id for one in client.list_uploads(prefix="a/z")],
        [one.key for one in client.list_uploads(prefix="a/k")],
    )
    assert () == client.list_uploads(prefix="b")


def test_a_record_whose_upload_the_service_lost_is_shown_as_that(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    (pending,) = service.memory.list_uploads(BUCKET).uploads
    service.memory.store.buckets[BUCKET].uploads.clear()

    (found,) = client.list_uploads()

    assert (pending.id, None, None, True) == (found.upload_id, found.parts, found.kept, found.ours)
    client.abort_upload("k", found.upload_id)
    assert ([], ()) == (service.left_over(), client.list_uploads())


def test_exactly_one_upload_is_aborted_with_its_record(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    other = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)
    (mine,) = [one for one in client.list_uploads() if one.ours]

    client.abort_upload(key="k", upload_id=mine.upload_id)
    client.abort_upload(key="k", upload_id=mine.upload_id)

    assert [other.id] == service.left_over() == [one.upload_id for one in client.list_uploads()]


def test_another_tools_upload_is_aborted_and_our_record_stays(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    other = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)

    client.abort_upload("k", other.id)

    (left,) = client.list_uploads()
    assert (True, 3) == (left.ours, left.parts)


def test_an_id_that_nobody_knows_aborts_nothing(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    before = service.left_over()
    client.abort_upload("k", "nobody")
    assert before == service.left_over()


def test_an_empty_id_is_refused_before_any_request(service: Service, client: StorageClient) -> None:
    service.heals()
    with pytest.raises(errors.ConfigurationError, match="upload_id is empty"):
        client.abort_upload("k", "")
    assert {} == service.driver.counts


def test_records_on_this_machine_are_found_and_deleted(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    leave_unfinished(service, checkpoint="local")
    client = client_of(service.driver)

    (found,) = client.list_uploads()
    assert (True, 3) == (found.ours, found.parts)
    assert [] != list(tmp_path.rglob("*.json"))

    client.abort_upload("k", found.upload_id)
    assert ([], ()) == (list(tmp_path.rglob("*.json")), client.list_uploads())


def test_what_lies_there_and_is_no_record_harms_nothing(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    store(service, ".storagekit/uploads/x/y.json", ".storagekit/uploads/z")
    assert 1 == len(client.list_uploads())


def test_a_failing_service_is_never_an_empty_answer(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    for operation in ("list", "list_uploads", "list_parts", "read"):
        service.fails(always(operation))
        with pytest.raises(errors.ServiceError) as caught:
            client.list_uploads()
        assert BUCKET == caught.value.bucket


def always(operation: str) -> Callable[[Call], Exception | None]:
    return lambda call: fault(Code.SERVER) if call.operation == operation else None


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_is_not_copied_and_says_what_to_do_instead(client: StorageClient, copied: Any) -> None:
    with pytest.raises(TypeError, match="make one in each process"):
        copied(client)


def test_close_closes_the_driver(service: Service) -> None:
    closed: list[bool] = []
    service.memory.close = lambda: closed.append(True)  # type: ignore[method-assign]
    with client_of(service.memory):
        assert [] == closed
    assert [True] == closed
