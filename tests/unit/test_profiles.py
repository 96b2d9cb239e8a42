"""Profiles: the configuration file, found, read, refused and changed; no error shows what may be a secret."""

from __future__ import annotations

import os
import string
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagekit import StorageClient
from storagekit._profiles import Change, change, config_path, load, names, parse, read
from storagekit._tuning import Tuning
from storagekit.config import Profile
from storagekit.errors import ConfigurationError

SECRET = "hunter2hunter2"
WORK = f"""
# the cluster in the cellar
[profiles.work]
backend = "minio"
endpoint = "minio.example.com:9000"   # behind the switch
access_key = "me"
secret_key = "{SECRET}"
use_ssl = false
max_connections = 8

[profiles.here]
backend = "local"
root = "/data"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def put(path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path.write_text(text)
    path.chmod(mode)
    return {"STORAGEKIT_CONFIG": str(path)}


# --- where it is ------------------------------------------------------------------------------------------------------


def test_the_file_is_the_named_one_or_in_the_users_directory_or_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    assert Path("/etc/s.toml") == config_path({"STORAGEKIT_CONFIG": "/etc/s.toml", "HOME": "/home/me"})
    assert Path("/home/me/s.toml") == config_path({"STORAGEKIT_CONFIG": "~/s.toml"})
    users = config_path({"HOME": "/home/me", "STORAGEKIT_CONFIG": ""})
    assert users is not None
    assert (users.name, users.parent.name, users.is_relative_to("/home/me")) == ("config.toml", "storagekit", True)
    assert config_path({}) is None


# --- which profile counts ---------------------------------------------------------------------------------------------


def test_the_argument_goes_before_the_variable_and_that_before_default(path: Path) -> None:
    environment = put(path, WORK + '[profiles.default]\nbackend = "memory"\n')

    def chosen(given: str | None, **more: str) -> tuple[str, str]:
        profile = load(given, {**environment, **more})
        assert profile is not None
        return profile.name, profile.named_by

    assert ("work", "argument") == chosen("work", STORAGEKIT_PROFILE="here")
    assert ("here", "STORAGEKIT_PROFILE") == chosen(None, STORAGEKIT_PROFILE="here")
    assert ("default", "default") == chosen(None, STORAGEKIT_PROFILE="")
    assert ("default", "argument") == chosen("default")
    with pytest.raises(ConfigurationError, match="the name of the profile is empty"):
        chosen("")  # of a variable that is not set: another account must not step in


def test_no_file_and_no_profile_named_default_are_no_error(path: Path) -> None:
    assert load(None, {"STORAGEKIT_CONFIG": str(path)}) is None
    assert load(None, put(path, WORK)) is None
    assert load(None, {"STORAGEKIT_CONFIG": os.devnull}) is None
    assert load(None, {}) is None


def test_a_profile_has_its_settings_as_text_and_says_where_it_is(path: Path) -> None:
    expected = {
        "endpoint": "minio.example.com:9000",
        "access_key": "me",
        "secret_key": SECRET,
        "use_ssl": "false",
        "max_connections": "8",
    }
    profile = load("work", put(path, WORK))
    assert Profile("work", str(path), "minio", expected, "argument") == profile
    assert f"profile work in {path}" == str(profile)
    assert SECRET not in repr(profile)


@pytest.mark.parametrize(
    ("text", "hint"),
    [(WORK, "It has here, work"), ("", "It has none"), (None, "The file does not exist")],
)
def test_a_profile_that_does_not_exist_is_an_error_that_lists_those_that_do(
    path: Path, text: str | None, hint: str
) -> None:
    environment = {"STORAGEKIT_CONFIG": str(path)} if text is None else put(path, text)
    for argument, more in (("wrok", {}), (None, {"STORAGEKIT_PROFILE": "wrok"})):
        with pytest.raises(ConfigurationError, match="there is no profile 'wrok' in") as caught:
            load(argument, {**environment, **more})
        assert hint in str(caught.value)
        assert "storagekit config set wrok backend=" in str(caught.value)


def test_without_a_home_the_error_says_how_to_name_a_file() -> None:
    with pytest.raises(ConfigurationError, match="set STORAGEKIT_CONFIG"):
        load("work", {})


def test_all_names_are_listed_with_those_of_other_tools(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".obsutilconfig").touch()
    environment = {**put(path, WORK), "HOME": str(tmp_path), "MC_HOST_play": "https://a:b@play.example.com"}
    assert ["work", "here", "obsutil:", "mc:play"] == names(environment)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_file_that_others_can_read_is_refused_with_the_command_that_mends_it(path: Path, mode: int) -> None:
    environment = put(path, WORK, mode)
    with pytest.raises(ConfigurationError, match="can be read or changed by others") as caught:
        load(None, environment)
    assert f"chmod 600 {path}" in str(caught.value)
    with pytest.raises(ConfigurationError, match="can be read or changed by others"):
        change(path, Change("work", {}))
    assert WORK == path.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'[profiles.work]\nsecret_key = "{SECRET}', "is not valid TOML (at "),
        (f"[profiles.work]\nsecret_key = {SECRET}", "is not valid TOML (at line 2"),
        (f'[profiles.work]\nsecret_key "{SECRET}"', "is not valid TOML (at line 2"),
        (f'[profile.work]\nsecret_key = "{SECRET}"', "has profile, which means nothing there"),
        (f'secret_key = "{SECRET}"', "has secret_key, which means nothing there"),
        (f'profiles = "{SECRET}"', "profiles in PATH is no table"),
        (f'[profiles]\nwork = "{SECRET}"', "work in PATH is no table"),
        (f'[profiles.work]\nsecret_key = ["{SECRET}"]', "secret_key of profile work in PATH is of type list"),
        (f'[profiles.work.secret_key]\na = "{SECRET}"', "secret_key of profile work in PATH is of type dict"),
        ("[profiles.work]\nmax_parts = 2026-11-21", "max_parts of profile work in PATH is of type date"),
        (f'[profiles.work]\nsecret_key = "{SECRET}"', "profile work in PATH names no backend"),
        ('[profiles.work]\nbackend = ""', "profile work in PATH names no backend"),
    ],
)
def test_an_error_names_file_profile_and_setting_and_no_value(path: Path, text: str, said: str) -> None:
    environment = put(path, text)
    with pytest.raises(ConfigurationError) as caught:
        load("work", environment)
    assert str(path) in str(caught.value)
    assert said.replace("PATH", str(path)) in str(caught.value)
    assert SECRET not in everything_said(caught.value)


def everything_said(error: BaseException) -> str:
    """What a traceback at debug level would show, with causes and contexts, but not with the lines of this file."""
    shown = traceback.TracebackException.from_exception(error, lookup_lines=False)
    found = []
    for part in (shown, shown.__cause__, shown.__context__):
        found += list(part.format_exception_only()) if part else []
    return "".join(found)


@given(
    st.integers(0, len(WORK)),
    st.integers(0, 12),
    st.text(st.sampled_from('"=[]#\n\\.' + "x\u00e9\x00"), max_size=2),
)
def test_no_damage_to_the_file_makes_an_error_show_the_secret(at: int, cut: int, put_in: str) -> None:
    said = ""
    try:
        parse(WORK[:at] + put_in + WORK[at + cut :], "file")
    except ConfigurationError as error:
        said = everything_said(error)
    assert SECRET[:7] not in said


# --- changing it ------------------------------------------------------------------------------------------------------


def test_a_change_keeps_comments_order_and_the_other_profiles(path: Path) -> None:
    put(path, WORK)

    change(path, Change("work", {"region": "eu-1", "endpoint": "other"}, frozenset({"use_ssl", "absent"})))

    assert '# the cluster in the cellar\n[profiles.work]\nbackend = "minio"\n' in path.read_text()
    assert 'endpoint = "other" # behind the switch' in " ".join(path.read_text().split("\n")).replace("   #", " #")
    work, here = read(path).values()
    assert ("other", "eu-1", SECRET) == (work["endpoint"], work["region"], work["secret_key"])
    assert "use_ssl" not in work
    assert {"backend": "local", "root": "/data"} == here
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    "text",
    [
        '[profiles]\nwork = {backend = "memory"}\n',
        '[profiles]\nwork.backend = "memory"\nwork.workers = 2\n',
        '[profiles.work]\nbackend = "memory"\n[profiles.here]\n[profiles."a b"]\n',
    ],
)
def test_a_profile_may_be_written_in_other_ways(path: Path, text: str) -> None:
    put(path, text)
    before = read(path)

    change(path, Change("work", {"region": "eu-1"}))
    change(path, Change("new", {"backend": "local"}))

    assert {**before, "work": {**before["work"], "region": "eu-1"}, "new": {"backend": "local"}} == read(path)


@pytest.mark.parametrize("text", ['profiles.work.backend = "memory"\n', 'profiles = {work = {backend = "memory"}}\n'])
def test_a_file_that_cannot_be_changed_right_is_left_alone(path: Path, text: str) -> None:
    """With tomlkit 0.15 the second change would end up inside of ``work``, or be a ValueError."""
    put(path, text)
    with suppress(ConfigurationError):
        change(path, Change("work", {"region": "eu-1"}))
    before = path.read_text()

    with pytest.raises(ConfigurationError, match=r"in a way that storagekit cannot change.*in an editor"):
        change(path, Change("new", {"backend": "local"}))

    assert before == path.read_text()
    assert "memory" == read(path)["work"]["backend"]


def test_the_first_change_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    change(path, Change("work", {"backend": "memory"}))
    assert '[profiles.work]\nbackend = "memory"\n' == path.read_text()


WORD = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8)
ANY = st.text(st.characters(codec="utf-8"), max_size=20)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)  # each writes to the disk up to five times
@given(st.lists(st.tuples(NAME, st.dictionaries(WORD, ANY, max_size=3), st.frozensets(WORD, max_size=2)), max_size=5))
def test_what_was_set_is_read_again_whatever_it_is(changes: list[tuple[str, dict[str, str], frozenset[str]]]) -> None:
    expected: dict[str, dict[str, str]] = {}
    with a_file() as path:
        for name, settings, removed in changes:
            change(path, Change(name, settings, removed))
            kept = {key: text for key, text in expected.get(name, {}).items() if key not in removed}
            expected[name] = {**kept, **settings}
        assert expected == read(path)


@contextmanager
def a_file() -> Iterator[Path]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        yield Path(directory, "config.toml")


# --- the client -------------------------------------------------------------------------------------------------------


def test_a_client_of_a_profile_alone_works(path: Path, tmp_path: Path) -> None:
    environment = put(
        path,
        f"""
        [profiles.work]
        backend = "local"
        root = "{tmp_path}"
        bucket = "data"
        part_size = "8MiB"
        workers = 2
        memory = "64MiB"
        checkpoint = "off"
        """,
    )
    (tmp_path / "data").mkdir()

    with StorageClient(profile="work", environment=environment) as client:
        client.put_object("key", b"bytes")

        assert ("local", "data") == (client.backend, client.bucket)
        assert (tmp_path / "data" / "key").read_bytes() == b"bytes"
    for profile, more in ((None, {"STORAGEKIT_PROFILE": "work"}), ("work", {})):
        with StorageClient(profile=profile, bucket="other", environment={**environment, **more}) as client:
            assert "other" == client.bucket


def test_a_client_takes_the_profile_named_default_where_it_is_of_its_backend(path: Path, tmp_path: Path) -> None:
    environment = put(path, f'[profiles.default]\nbackend = "local"\nroot = "{tmp_path}"\n')
    with StorageClient(environment=environment) as client:
        assert "local" == client.backend
    with StorageClient("memory", environment=environment) as client:
        assert "memory" == client.backend


def test_what_is_given_goes_before_the_profile(path: Path, tmp_path: Path) -> None:
    environment = put(path, '[profiles.work]\nbackend = "local"\nroot = "/nowhere"\nworkers = 9\nmemory = "1GiB"\n')
    with StorageClient(profile="work", root=tmp_path, workers=3, environment=environment) as client:
        assert [] == client.list_buckets()
        assert 3 == client._downloader._workers
        assert 2**30 == client.uploader.window.budget


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('colour = "blue"', "the backend 'memory' has no setting colour, as profile work in"),
        ("workers = 0", "workers of profile work in PATH: '0' is no number of workers"),
        ('memory = "much"', "memory of profile work in PATH: 'much' is not a size"),
        ('checkpoint = "cloud"', "checkpoint of profile work in PATH: 'cloud' is no place for upload records"),
        ("part_size = 0", "part_size of profile work in PATH: '0' is no size of a part"),
        ('max_speed = "fast"', "max_speed of profile work in PATH: 'fast' is not a rate"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_its_place(path: Path, line: str, said: str) -> None:
    environment = put(path, f'[profiles.work]\nbackend = "memory"\n{line}\n')
    with pytest.raises(ConfigurationError) as caught:
        StorageClient(profile="work", environment=environment)
    assert said.replace("PATH", str(path)) in str(caught.value)


def test_tuning_that_is_given_goes_before_the_rest() -> None:
    tuning = Tuning(workers=2, max_speed=7)
    nothing = {"part_size": None, "memory": None, "checkpoint": None, "max_speed": None}
    assert Tuning(workers=5, max_speed=7) == tuning.but(workers=5, **nothing)
    assert tuning == tuning.but(workers=None, **nothing)


def test_a_variable_that_stands_in_the_way_of_a_named_profile_is_told(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment = {
        **put(path, '[profiles.work]\nbackend = "local"\nroot = "/elsewhere"\n'),
        "STORAGEKIT_LOCAL_ROOT": str(tmp_path),
    }

    StorageClient(profile="work", environment=environment).close()
    StorageClient(environment={**environment, "STORAGEKIT_PROFILE": "work"}).close()

    assert [f"STORAGEKIT_LOCAL_ROOT counts, not the root of profile work in {path}"] == caplog.messages
