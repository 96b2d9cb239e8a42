"""Configuration: argument, environment, profile; what is missing or unknown is named, what is secret is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from storagekit.config import (
    Given,
    Profile,
    Value,
    choose_backend,
    configure,
    matching,
    offers,
    overruled,
    resolve,
    texts,
    variables,
)
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
    aliases=("c2",),
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
    assert backend == choose_backend(given, endpoint, environment).text


def profile(backend: str, named_by: str = "default", **settings: str) -> Profile:
    return Profile("work", "config.toml", backend, settings, named_by)


BY_ARGUMENT, BY_VARIABLE, BY_NOBODY = (profile("oss", by) for by in ("argument", "STORAGEKIT_PROFILE", "default"))
ORIGIN = "profile work in config.toml"


@pytest.mark.parametrize(
    ("given", "endpoint", "environment", "profile", "expected"),
    [
        ("local", "host", {"STORAGEKIT_BACKEND": "obs"}, BY_ARGUMENT, ("local", "argument")),
        (None, "host", {"STORAGEKIT_BACKEND": "obs"}, BY_ARGUMENT, ("oss", ORIGIN)),
        (None, "host", {"STORAGEKIT_BACKEND": "obs"}, BY_VARIABLE, ("obs", "STORAGEKIT_BACKEND")),
        (None, "host", {"STORAGEKIT_BACKEND": "obs"}, BY_NOBODY, ("obs", "STORAGEKIT_BACKEND")),
        (None, "host", {"MINIO_ENDPOINT": "h"}, BY_VARIABLE, ("oss", ORIGIN)),
        (None, None, {"MINIO_ENDPOINT": "h"}, BY_NOBODY, ("oss", ORIGIN)),
        (None, "host", {}, None, ("minio", "default, as there is an endpoint")),
        (None, None, {"MINIO_ENDPOINT": "h"}, None, ("minio", "default, as its variables are set")),
    ],
)
def test_the_backend_says_where_it_came_from(
    given: str | None,
    endpoint: str | None,
    environment: dict[str, str],
    profile: Profile | None,
    expected: tuple[str, str],
) -> None:
    chosen = choose_backend(given, endpoint, environment, profile)
    assert expected == (chosen.text, chosen.origin)


CLOUD = Value("backend", "cloud", "argument")


@pytest.mark.parametrize("backend", ["cloud", "c2"])
def test_a_profile_of_the_backend_or_its_alias_counts(backend: str) -> None:
    mine = profile(backend, "argument")
    assert matching(mine, SPEC, CLOUD) is mine
    assert matching(None, SPEC, CLOUD) is None


@pytest.mark.parametrize("named_by", ["STORAGEKIT_PROFILE", "default"])
def test_a_profile_of_the_environment_does_not_forbid_another_backend(named_by: str) -> None:
    assert matching(profile("local", named_by), SPEC, CLOUD) is None


@pytest.mark.parametrize(
    ("named_by", "origin", "said"),
    [
        ("argument", "argument", "what was asked for is 'cloud'"),
        ("argument", "STORAGEKIT_BACKEND", "STORAGEKIT_BACKEND is 'cloud'"),
        ("STORAGEKIT_PROFILE", "STORAGEKIT_BACKEND", "STORAGEKIT_BACKEND is 'cloud'"),
    ],
)
def test_a_profile_that_contradicts_the_backend_is_an_error_that_names_both(
    named_by: str, origin: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{ORIGIN} is of the backend 'local', and {said}"):
        matching(profile("local", named_by), SPEC, Value("backend", "cloud", origin))


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


# --- profiles ---------------------------------------------------------------------------------------------------------

PLACES = [
    *[(setting.name, "argument") for setting in SPEC.settings],
    *[(setting.name, variable) for setting in SPEC.settings for variable in variables(setting)],
    *[(setting.name, ORIGIN) for setting in SPEC.settings],
]


@generated(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["", "a", "b"])))
def test_argument_goes_before_variables_and_those_before_the_profile(said: dict[tuple[str, str], str]) -> None:
    """An empty variable, or an empty line of a profile, is none; an empty argument is one."""
    arguments = {name: text for (name, place), text in said.items() if place == "argument"}
    environment = {place: text for (_, place), text in said.items() if place not in ("argument", ORIGIN)}
    mine = profile("cloud", **{name: text for (name, place), text in said.items() if place == ORIGIN})
    for setting in SPEC.settings:
        places = [place for name, place in PLACES if name == setting.name]
        expected = [
            (said[setting.name, place], place)
            for place in places
            if (setting.name, place) in said and (said[setting.name, place] or place == "argument")
        ]

        found = list(offers(setting, arguments, environment, mine))

        assert expected == [(value.text, value.origin) for value in found]
        if "endpoint" in arguments or environment.get("CLOUD_ENDPOINT"):
            resolved = resolve(SPEC, arguments, environment, mine)
            assert found[:1] == [value for value in resolved.values() if value.name == setting.name]


def test_a_setting_of_a_profile_that_the_backend_has_not_is_named_with_the_profile() -> None:
    with pytest.raises(ConfigurationError, match=f"no setting colour, as {ORIGIN} says") as caught:
        resolve(SPEC, {}, HERE, profile("cloud", colour="s3cret", bucket="b", part_size="1"))
    assert "It has access_key, bucket, checkpoint, endpoint, max_speed, memory, part_size, root" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_setting_that_a_file_has_but_keeps_to_itself_is_explained() -> None:
    mine = Profile("tool:", "file", "cloud", {}, withheld={"endpoint": "the tool keeps it encrypted"})
    with pytest.raises(ConfigurationError, match="needs endpoint; the tool keeps it encrypted"):
        resolve(SPEC, {}, {}, mine)


@pytest.mark.parametrize(
    ("backend", "given", "environment", "settings", "expected"),
    [
        ("minio", "arg", {"MINIO_BUCKET": "env"}, {"bucket": "mine"}, "arg"),
        ("minio", None, {"MINIO_BUCKET": "env"}, {"bucket": "mine"}, "env"),
        ("minio", None, {"OBS_BUCKET": "env"}, {"bucket": "mine"}, "mine"),
        ("obs", None, {"OBS_BUCKET": "env"}, {}, "env"),
        ("oss", None, {"OSS_BUCKET_NAME": "old", "OSS_BUCKET": "env"}, {}, "env"),
        ("oss", None, {"OSS_BUCKET_NAME": "old"}, {}, "old"),
        ("minio", None, {}, {}, None),
    ],
)
def test_the_bucket_is_looked_for_as_any_setting(
    backend: str, given: str | None, environment: dict[str, str], settings: dict[str, str], expected: str | None
) -> None:
    found = configure(
        lambda name: DriverSpec(name, "", make),
        profile(backend, **settings),
        environment,
        backend=backend,
        bucket=given,
    )
    assert expected == found.bucket


@pytest.mark.parametrize(
    ("backend", "environment", "settings", "expected"),
    [
        ("minio", {"MINIO_CHUNK_SIZE": "8388608"}, {"part_size": "5MiB"}, 8 * 2**20),
        ("minio", {"MINIO_CHUNK_SIZE": "8MiB"}, {}, 8 * 2**20),
        ("minio", {}, {"part_size": "5MiB"}, 5 * 2**20),
        ("obs", {"MINIO_CHUNK_SIZE": "8MiB"}, {}, None),
    ],
)
def test_the_part_size_of_minio_has_a_variable(
    backend: str, environment: dict[str, str], settings: dict[str, str], expected: int | None
) -> None:
    found = configure(
        lambda name: DriverSpec(name, "", make), profile(backend, **settings), environment, backend=backend
    )
    assert expected == found.tuning.part_size


def test_a_part_size_that_is_none_is_named_with_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="part_size of MINIO_CHUNK_SIZE: 'big' is not a size"):
        configure(lambda name: DriverSpec(name, "", make), None, {"MINIO_CHUNK_SIZE": "big"}, backend="minio")


def test_only_what_differs_from_a_profile_that_was_asked_for_is_overruled() -> None:
    environment = {"CLOUD_ENDPOINT": "host", "CLOUD_SK": "theirs"}
    for named_by, expected in (("argument", ["secret_key"]), ("default", []), ("STORAGEKIT_PROFILE", [])):
        mine = profile("cloud", named_by, endpoint="host", secret_key="mine", root="/")
        values = resolve(SPEC, {"root": "/data"}, environment, mine)
        assert expected == [value.name for value in overruled(mine, values)]
    assert [] == overruled(None, values)


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("access_key", "AKIAIOSFODNN7EXAMPLE", "AKIA...MPLE"),
        ("access_key", "minioadmin", "minioadmin"),
        ("endpoint", "https://me:hunter2@host:9000", "https://***@host:9000"),
        ("endpoint", "me:hunter2@host", "***@host"),
        ("endpoint", "https://user:hun/ter@host?sig=x", "https://***@host"),
        ("root", "/data/me@host", "/data/me@host"),
    ],
)
def test_people_see_no_more_of_a_value_than_they_need(name: str, text: str, shown: str) -> None:
    assert shown == Value(name, text, "argument").shown


TOOLS = DriverSpec(
    "s3",
    "Two tools' variables",
    make,
    settings=(
        Setting("access_key", ("MINIO_ACCESS_KEY", "AWS_ACCESS_KEY_ID"), required=True, unless="credentials"),
        Setting("secret_key", ("MINIO_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"), secret=True),
        Setting("session_token", ("MINIO_SESSION_TOKEN", "AWS_SESSION_TOKEN"), secret=True),
        Setting("credentials", help="keys or anonymous"),
        Setting("sts_endpoint"),
    ),
)
OF_AWS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}


def test_a_session_token_of_another_tool_is_left_out() -> None:
    both = {**OF_AWS, "MINIO_ACCESS_KEY": "mine", "MINIO_SECRET_KEY": "mine"}
    assert texts(resolve(TOOLS, {}, both)) == {"access_key": "mine", "secret_key": "mine"}
    assert texts(resolve(TOOLS, {}, OF_AWS)) == {"access_key": "a", "secret_key": "s", "session_token": "t"}


def test_keys_of_two_tools_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"MINIO_ACCESS_KEY.*not of.*AWS_SECRET_ACCESS_KEY"):
        resolve(TOOLS, {}, {"MINIO_ACCESS_KEY": "mine", "AWS_SECRET_ACCESS_KEY": "s"})


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_an_aws_profile_that_nobody_named_adds_nothing_to_keys_that_are_said(variable: str) -> None:
    keys = {"access_key": "p", "secret_key": "p", "session_token": "p"}
    profile = Profile("aws:default", "file", "s3", keys)
    assert texts(resolve(TOOLS, {}, {}, profile)) == keys
    assert texts(resolve(TOOLS, {}, OF_AWS, profile))["session_token"] == "t"
    said = resolve(TOOLS, {"credentials": "keys"}, {variable: "x"}, profile)
    assert "p" not in texts(said).values()


def test_what_makes_a_setting_unnecessary_is_named() -> None:
    with pytest.raises(ConfigurationError, match="not needed with credentials= keys or anonymous"):
        resolve(TOOLS, {}, {})
    assert texts(resolve(TOOLS, {"credentials": "anonymous"}, {})) == {"credentials": "anonymous"}


def test_an_account_is_how_somebody_asks() -> None:
    def account(**arguments: str) -> object:
        return configure(lambda _: TOOLS, None, {}, backend="s3", arguments=arguments).account

    assert account(credentials="anonymous") == account(credentials="anonymous")
    assert account(credentials="anonymous") != account(credentials="aws")
    assert account(access_key="a") != account(access_key="a", sts_endpoint="https://sts")


def test_an_endpoint_of_any_kind_is_shown_without_user_and_query() -> None:
    assert "https://***@host/" == Value("sts_endpoint", "https://me:pw@host/?token=1", "argument").shown
