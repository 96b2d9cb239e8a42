"""Operations on objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from email.utils import format_datetime
from urllib.parse import unquote

from storagekit.driver import Code, Reader
from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import MAX_BODY
from storagekit.testing.emulator.conditions import is_unchanged, parse_range
from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.operations.documents import coded, iso, xml_answer
from storagekit.testing.emulator.operations.labels import STANDARD, Labels, labels_in, labels_of, object_type
from storagekit.testing.emulator.operations.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal
from storagekit.types import ObjectInfo

_TRIES = 10  # of a read whose object is replaced between the look and the opening
_MANY = 1000  # keys of one delete
_OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)


def put_object(store: Store, call: Call) -> Answer:
    """Store one object."""
    store.require(call.bucket, call.owner)
    check_size(call)
    labels = labels_in(call.request, call.dialect)
    with keeping(store, call) as if_absent:
        result = store.driver.put(call.bucket, call.key, call.body, labels.options(if_absent=if_absent))
    store.remember_crc(call.bucket, call.key, result.etag, call.body.crc)
    shown = {
        "ETag": call.dialect.etag(result.etag),
        **class_header(call.dialect, labels),
        **crc_header(call.dialect, call.body.crc),
    }
    return Answer(200, shown)


@contextmanager
def keeping(store: Store, call: Call) -> Iterator[bool]:
    """Tell whether an object that is at the key by then has to stay. Raises FileAlreadyExists where it does."""
    asked = _has_to_stay(call)
    try:
        yield asked
    except Exception as error:
        if asked and store.driver.classify(error).code is Code.PRECONDITION:
            raise Refusal(
                "FileAlreadyExists", "The object you specified already exists and can not be overwritten."
            ) from None
        raise


def _has_to_stay(call: Call) -> bool:
    name = call.dialect.forbid
    said = (call.request.header(call.dialect.header(name)) or "false").lower() if name is not None else "false"
    if said not in ("true", "false"):
        raise Refusal("InvalidArgument", f"{name} is true or false.", ArgumentName=str(name), ArgumentValue=said)
    return said == "true"


def check_size(call: Call) -> None:
    """Raise Refusal for a body without a size, or of more than OBS takes."""
    request = call.request
    if request.header("content-length") is None and request.header("transfer-encoding") is None:
        raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")
    if call.body.size > MAX_BODY:
        raise Refusal("EntityTooLarge", f"One request takes {MAX_BODY:,} bytes at most.")


def class_header(dialect: Dialect, labels: Labels) -> dict[str, str]:
    """Return the storage class as a header, where it is not the usual one."""
    if labels.storage_class == STANDARD and not dialect.full:
        return {}
    return {dialect.header("storage-class"): dialect.storage_class(labels.storage_class)}


def crc_header(dialect: Dialect, crc: int | None) -> dict[str, str]:
    """Return the CRC-64 as a header, in decimal."""
    return {} if crc is None else {dialect.header(dialect.crc): str(crc)}


def made_headers(dialect: Dialect, etag: str, crc: int | None) -> dict[str, str]:
    """Return the headers beside a document that says what was made; OSS's clients look there for the ETag."""
    return {**crc_header(dialect, crc), **({"ETag": etag} if dialect.full else {})}


def get_object(store: Store, call: Call) -> Answer:
    """Answer with an object, a range of it, or what is known of it (HEAD)."""
    store.require(call.bucket, call.owner)
    for _ in range(_TRIES):
        info = store.driver.head(call.bucket, call.key)
        if is_unchanged(call.request, info, call.dialect):
            return Answer(304, {"ETag": call.dialect.etag(info.etag), "Last-Modified": _http_time(info)})
        span = parse_range(call.request.header("range"), info.size, ignored=_ignores(call))
        shown = _shown(store, call, info, whole=span is None)
        start, length = span or (0, info.size)
        if span is not None:
            shown["Content-Range"] = f"bytes {start}-{start + length - 1}/{info.size}"
        status = 200 if span is None else 206
        if call.request.method == "HEAD":
            return Answer(status, shown, length=length)
        reader = _opened(store, call, info, start, length)
        if reader is not None:
            return Answer(status, shown, reader=reader, length=length)
    raise Refusal("ServiceUnavailable", "The object is replaced faster than it can be opened.")


def _ignores(call: Call) -> bool:
    """Tell whether a range that is not all in the object counts as none."""
    asked = call.request.header(call.dialect.header("range-behavior")) == "standard"
    return call.dialect.outside == "ignored" and not asked


def _opened(store: Store, call: Call, info: ObjectInfo, start: int, length: int) -> Reader | None:
    """Return the reader of just this version; None where it is another one by now."""
    try:
        reader = store.driver.read(call.bucket, call.key, start, length or None, if_match=info.etag)
    except Exception as error:
        if store.driver.classify(error).code is Code.PRECONDITION:
            return None
        raise
    if reader.etag == info.etag:
        return reader
    with reader:
        return None


def _shown(store: Store, call: Call, info: ObjectInfo, *, whole: bool) -> dict[str, str]:
    """Return the headers of an object. Its CRC-64 is of the whole; OBS leaves it out of a range."""
    labels, dialect = labels_of(info), call.dialect
    headers = {
        "Content-Type": labels.content_type or dialect.content_type,
        "Accept-Ranges": "bytes",
        "ETag": dialect.etag(info.etag),
        "Last-Modified": _http_time(info),
        **{name.title(): value for name, value in labels.headers.items()},
        **{dialect.header(f"meta-{name}"): value for name, value in labels.metadata.items()},
        **class_header(dialect, labels),
        **_origin(store, dialect, labels),
        **(crc_header(dialect, store.crc_of(call.bucket, info)) if whole or dialect.full else {}),
    }
    return {**headers, **_overridden(call)}


def _origin(store: Store, dialect: Dialect, labels: Labels) -> dict[str, str]:
    """Return how the object came to be: OSS says of what kind it is, OBS by which upload."""
    if dialect.full:
        return {dialect.header("object-type"): object_type(labels)}
    made_by = store.ledger.get(f"token/{labels.token}").get("upload")
    return {dialect.header("uploadId"): made_by} if made_by else {}


def _overridden(call: Call) -> Mapping[str, str]:
    """Return the headers that the URL asks for: ``response-content-type`` and its like."""
    asked = ((name, call.request.param(f"response-{name}")) for name in _OVERRIDES)
    return {name.title(): value for name, value in asked if value}


def _http_time(info: ObjectInfo) -> str:
    return format_datetime(info.modified, usegmt=True) if info.modified else "Thu, 01 Jan 1970 00:00:00 GMT"


def delete_object(store: Store, call: Call) -> Answer:
    """Delete one object; a missing one is success."""
    store.require(call.bucket, call.owner)
    store.driver.delete(call.bucket, call.key)
    return Answer(204)


def delete_objects(store: Store, call: Call) -> Answer:
    """Delete up to 1,000 objects."""
    store.require(call.bucket, call.owner)
    if call.request.header("content-md5") is None:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5")
    root = xml.parse(call.body.whole(), "Delete")
    said = root.findtext("EncodingType") or ""
    encoding = said or call.request.param("encoding-type") or ""
    keys = [xml.text_of(node, "Key") for node in root.findall("Object")]
    if not 1 <= len(keys) <= _MANY:
        raise Refusal("MalformedXML", f"One request deletes 1 to {_MANY:,} objects.")
    if said == "url":
        keys = [unquote(key.replace("+", " ")) for key in keys]
    for key in keys:
        call.dialect.check_key(key)
    failed = {one.key: one for one in store.driver.delete_many(call.bucket, keys)}
    quiet = root.findtext("Quiet") == "true"
    rows: list[xml.Node] = [("EncodingType", encoding)] if encoding else []
    for key in keys:
        if key in failed:
            why: list[xml.Node] = [("Code", failed[key].code), ("Message", failed[key].message)]
            rows.append(("Error", [("Key", coded(key, encoding)), *why]))
        elif not quiet:
            rows.append(("Deleted", [("Key", coded(key, encoding))]))
    return xml_answer(call, ("DeleteResult", rows))


def copy_object(store: Store, call: Call) -> Answer:
    """Copy an object, with its own labels or with those of the request."""
    store.require(call.bucket, call.owner)
    bucket, key, info = copy_source(store, call)
    directive = (call.request.header(call.dialect.header("metadata-directive")) or "COPY").upper()
    if directive not in ("COPY", "REPLACE", "REPLACE_NEW"):
        raise Refusal("InvalidArgument", f"Unknown metadata directive {directive}.")
    given = labels_in(call.request, call.dialect)
    labels = _merged(labels_of(info), given, directive)
    if call.request.header(call.dialect.header("storage-class")) is not None:
        labels = replace(labels, storage_class=given.storage_class)
    if info.size > MAX_BODY:
        raise Refusal("EntityTooLarge", f"A copy in one request takes {MAX_BODY:,} bytes at most.")
    crc = store.crc_of(bucket, info)
    with keeping(store, call) as if_absent:
        options = labels.options(if_absent=if_absent)
        result = store.driver.copy(call.bucket, call.key, bucket, key, options, if_match=info.etag)
    if crc is not None:
        store.remember_crc(call.bucket, call.key, result.etag, crc)
    modified = store.driver.head(call.bucket, call.key).modified
    etag = call.dialect.etag(result.etag)
    rows: list[xml.Node] = [("LastModified", iso(call, modified)), ("ETag", etag)]
    return xml_answer(call, ("CopyObjectResult", rows), made_headers(call.dialect, etag, crc))


def _merged(source: Labels, given: Labels, directive: str) -> Labels:
    if directive == "REPLACE":
        return given
    own = replace(source, token="", begun=0)
    if directive == "COPY":
        return own
    metadata, headers = {**own.metadata, **given.metadata}, {**own.headers, **given.headers}
    return replace(own, metadata=metadata, headers=headers, content_type=given.content_type or own.content_type)


def copy_source(store: Store, call: Call) -> tuple[str, str, ObjectInfo]:
    """Return bucket, key and what is known of the object that is copied. Raises Refusal by the copy's conditions."""
    given = call.request.header(call.dialect.header("copy-source")) or ""
    if "?versionId=" in given:
        raise Refusal("NotImplemented", "There are no versions.")
    bucket, slash, key = unquote(given).removeprefix("/").partition("/")
    if not slash or not bucket or not key:
        raise Refusal("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    store.require(bucket, call.owner)
    info = store.driver.head(bucket, key)
    if is_unchanged(call.request, info, call.dialect, call.dialect.header("copy-source-")):
        raise Refusal(call.dialect.unchanged_copy, "At least one of the pre-conditions you specified did not hold")
    return bucket, key, info
