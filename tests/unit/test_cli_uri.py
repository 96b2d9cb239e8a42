"""What an argument of a command means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit.cli._uri import LocalPath, Location, Remote, StandardStream, WebURL, parse, parse_remote
from storagekit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("-", StandardStream()),
        ("a.tar", LocalPath("a.tar")),
        ("./-", LocalPath("./-")),
        ("/a/b", LocalPath("/a/b")),
        ("", LocalPath("")),
        ("c:/x", LocalPath("c:/x")),
        ("a:b", LocalPath("a:b")),
        ("file:///tmp/a%20b", LocalPath("/tmp/a b")),
        ("http://host/a", WebURL("http://host/a")),
        ("HTTPS://host/a?b#c", WebURL("HTTPS://host/a?b#c")),
        ("minio://b/k", Remote("minio", "b", "k")),
        ("MinIO://B/K", Remote("minio", "B", "K")),
        ("s3://b/a/b//c", Remote("s3", "b", "a/b//c")),
        ("s3://b/a%20b?c#d", Remote("s3", "b", "a%20b?c#d")),
        ("s3://b/a://b", Remote("s3", "b", "a://b")),
        ("s3://b/", Remote("s3", "b", "")),
        ("s3://b", Remote("s3", "b", "")),
        ("s3://", Remote("s3", "", "")),
        ("s3:///", Remote("s3", "", "")),
    ],
)
def test_an_argument_has_a_meaning(text: str, location: Location) -> None:
    assert location == parse(text)


def test_a_key_without_a_bucket_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names no bucket"):
        parse("s3:///key")


@pytest.mark.parametrize("text", ["./a://b", "dir/http://host/a", "://b/k"])
def test_what_has_no_scheme_is_a_path(text: str) -> None:
    assert LocalPath(text) == parse(text)


@given(st.sampled_from(["minio", "s3", "local"]), st.text(min_size=1).filter(lambda b: "/" not in b), st.text())
def test_any_object_is_read_back_as_it_is_shown(backend: str, bucket: str, key: str) -> None:
    remote = Remote(backend, bucket, key)
    assert remote == parse(str(remote))


@pytest.mark.parametrize("text", ["-", "a.tar", "http://host/a"])
def test_only_objects_and_buckets_are_remote(text: str) -> None:
    assert Remote("s3", "b", "k") == parse_remote("s3://b/k")
    with pytest.raises(ConfigurationError, match="not an object of a backend"):
        parse_remote(text)


@pytest.mark.parametrize(
    ("target", "key"), [("s3://b/k", "k"), ("s3://b/d/", "d/a.tar"), ("s3://b", "a.tar"), ("s3://b/", "a.tar")]
)
def test_a_target_that_ends_in_a_slash_or_is_a_bucket_takes_the_sources_name(target: str, key: str) -> None:
    assert Remote("s3", "b", key) == parse_remote(target).named("a.tar")


def test_a_source_without_a_name_needs_a_whole_key() -> None:
    assert Remote("s3", "b", "k") == Remote("s3", "b", "k").named("")
    with pytest.raises(ConfigurationError, match="needs a name"):
        Remote("s3", "b", "d/").named("")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://host/d/a.tar?x=/y#/z", "a.tar"),
        ("http://host/a%20b", "a b"),
        ("http://host/d/", ""),
        ("http://host", ""),
        ("http://user:p@host/a", "a"),
    ],
)
def test_a_url_is_named_by_the_end_of_its_path(url: str, name: str) -> None:
    assert name == WebURL(url).name


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        parse("http://[::1/a.tar")
