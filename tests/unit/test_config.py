"""Configuration: argument, then environment; what is missing or unknown is named, what is secret is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storagekit.config import Given, Value, choose_backend, resolve, texts
from storagekit.driver import Driver, DriverSpec, Setting
from storagekit.drivers.memory import MemoryDriver
from storagekit.errors import ConfigurationError


def make(settings: object) -> Driver:
    return MemoryDriver()


SPEC = DriverSpec(
    "cloud",
    "A cloud",
    make,
    settings=(
        Setting("endpoint", ("CLOUD_ENDPOINT",), required=True),
        Setting("access_key", ("CLOUD_KEY_ID", "CLOUD_AK")),
        Setting("secret_key", ("CLOUD_SECRET", "CLOUD_SK"), secret=True),
        Setting("root"),
    ),
)
HERE = {"CLOUD_ENDPOINT": "host"}


@pytest.mark.parametrize(
    ("given", "endpoint", "environment", "backend"),
    [
        ("local", None, {}, "local"),
        ("local", "host", {"STORAGEKIT_BACKEND": "obs", "MINIO_ENDPOINT": "h"}, "local"),
        (None, None, {"STORAGEKIT_BACKEND": "obs"}, "obs"),
        (None, "host", {"STORAGEKIT_BACKEND": "obs"}, "obs"),
        (None, "host", {}, "minio"),
        (None, "host", {"OBS_AK": "a"}, "minio"),
        (None, None, {"OBS_ACCESS_KEY_ID": "a"}, "obs"),
        (None, None, {"OBS_AK": "a"}, "obs"),
        (None, None, {"OBS_SERVER": "h"}, "obs"),
        (None, None, {"OBS_ENDPOINT": "h", "OBS_AK": "a"}, "obs"),
        (None, None, {"MINIO_ENDPOINT": "h"}, "minio"),
        (None, None, {"OSS_ENDPOINT": "h"}, "oss"),
        (None, None, {"OSS_ENDPOINT": "h", "MINIO_ENDPOINT": ""}, "oss"),
        (None, None, {"STORAGEKIT_BACKEND": "", "MINIO_ACCESS_KEY": "a"}, "minio"),
    ],
)
def test_the_backend_is_chosen(
    given: str | None, endpoint: str | None, environment: dict[str, str], backend: str
) -> None:
    assert backend == choose_backend(given, endpoint, environment)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "none is set up"),
        ({"STORAGEKIT_LOCAL_ROOT": "/data"}, "none is set up"),
        ({"OBS_AK": "a", "OSS_ENDPOINT": "h"}, "several are set up: obs, oss"),
    ],
)
def test_an_open_choice_is_an_error_that_lists_the_choices(environment: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        choose_backend(None, None, environment)
    assert "obs, minio, oss, local, memory" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "environment", "name", "expected"),
    [
        ({"access_key": "arg"}, {"CLOUD_KEY_ID": "env"}, "access_key", ("arg", "argument")),
        ({"access_key": None}, {"CLOUD_KEY_ID": "env"}, "access_key", ("env", "CLOUD_KEY_ID")),
        ({}, {"CLOUD_KEY_ID": "env", "CLOUD_AK": "old"}, "access_key", ("env", "CLOUD_KEY_ID")),
        ({}, {"CLOUD_KEY_ID": "", "CLOUD_AK": "old"}, "access_key", ("old", "CLOUD_AK")),
        ({}, {"CLOUD_AK": "old", "STORAGE_ACCESS_KEY": "any"}, "access_key", ("old", "CLOUD_AK")),
        ({}, {"STORAGE_ACCESS_KEY": "any"}, "access_key", ("any", "STORAGE_ACCESS_KEY")),
        ({}, {"STORAGE_SECRET_KEY": "any"}, "secret_key", ("any", "STORAGE_SECRET_KEY")),
        ({"root": "/data"}, {}, "root", ("/data", "argument")),
    ],
)
def test_a_setting_comes_from_the_first_place_that_has_it(
    arguments: dict[str, str | None], environment: dict[str, str], name: str, expected: tuple[str, str]
) -> None:
    value = resolve(SPEC, arguments, {**HERE, **environment})[name]
    assert expected == (value.text, value.origin)


def test_the_shared_endpoint_serves_any_backend_that_has_one() -> None:
    assert {"endpoint": "any"} == texts(resolve(SPEC, {}, {"STORAGE_ENDPOINT": "any"}))


@pytest.mark.parametrize(
    ("given", "text"),
    [(True, "true"), (False, "false"), (8, "8"), (2.5, "2.5"), ("", ""), ("True", "True"), (Path("/data"), "/data")],
)
def test_a_setting_may_be_given_as_what_it_is(given: Given, text: str) -> None:
    assert text == resolve(SPEC, {"root": given}, HERE)["root"].text


@pytest.mark.parametrize("given", [b"bytes", ["a"], object(), {"a": 1}])
def test_a_setting_that_is_none_is_named_and_not_shown(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="secret_key is") as caught:
        resolve(SPEC, {"secret_key": given}, HERE)
    assert str(given) not in str(caught.value)


def test_what_is_set_nowhere_is_left_out() -> None:
    assert {"endpoint": "host"} == texts(resolve(SPEC, {}, HERE))


def test_a_missing_setting_is_named_with_its_variables() -> None:
    with pytest.raises(ConfigurationError, match="the backend 'cloud' needs endpoint") as caught:
        resolve(SPEC, {}, {})
    assert "Give endpoint=, or set CLOUD_ENDPOINT" in str(caught.value)


def test_an_unknown_setting_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no setting colour, shape") as caught:
        resolve(SPEC, {"shape": "round", "colour": "blue", "root": "/"}, HERE)
    assert "It has access_key, endpoint, root, secret_key" in str(caught.value)


def test_an_unknown_setting_that_is_none_was_not_given() -> None:
    assert {"endpoint": "host"} == texts(resolve(SPEC, {"colour": None}, HERE))


def test_a_secret_is_never_shown() -> None:
    values = resolve(SPEC, {"secret_key": "s3cret"}, HERE)
    assert values["secret_key"].text == "s3cret"
    assert "s3cret" not in f"{values} {values['secret_key']!r} {values['secret_key']}"
    assert repr(values["secret_key"]) == "Value(secret_key='***' from argument)"


def test_what_is_no_secret_is_shown_with_its_origin() -> None:
    assert repr(Value("endpoint", "host", "CLOUD_ENDPOINT")) == "Value(endpoint='host' from CLOUD_ENDPOINT)"


def test_no_error_repeats_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(SPEC, {"secret_key": "s3cret", "secret_kee": "s3cret"}, {"CLOUD_SK": "s3cret"})
    assert "s3cret" not in str(caught.value)
