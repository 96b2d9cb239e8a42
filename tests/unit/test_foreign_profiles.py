"""Other tools' configuration files, as these tools write them, are read; nothing is made up and no secret is shown."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagekit import StorageClient
from storagekit._foreign_profiles import load, names
from storagekit.config import Profile
from storagekit.errors import BackendNotInstalledError, ConfigurationError

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY40"  # 40 signs, as a key of OBS has
PIECES = {SECRET[start : start + 8] for start in range(len(SECRET) - 7)}
ACCESS = "AKIAIOSFODNN7EXAMPLE"

OBSUTIL = f"""# obsutil
endpoint=https://obs.cn-north-4.myhuaweicloud.com
ak={ACCESS}
sk = {SECRET}
token=
akCrr=other
connectTimeout=30
abortHttpStatusForResumableTasks=401,403,404,405,409
"""

OSSUTIL_1 = f"""[Credentials]
language=EN
endpoint=oss-cn-hangzhou.aliyuncs.com
accessKeyID={ACCESS}
accessKeySecret={SECRET}
stsToken=t==
[Bucket-Endpoint]
other=oss-cn-beijing.aliyuncs.com
"""

OSSUTIL_2 = f"""# ossutil config
[default]
access-key-id = {ACCESS}
accessKeySecret={SECRET}
region=cn-hangzhou

[profile Work]
access_key_id=work
accesskeysecret=%{SECRET}%
sts-token=t
region=cn-beijing
endpoint=https://oss-cn-beijing-internal.aliyuncs.com

[profile role]
mode=EcsRamRole
region=cn-hangzhou
[profile child]
source-profile=default
region=cn-hangzhou
"""


def alias(url: str, **more: str) -> dict[str, str]:
    return {"url": url, "accessKey": ACCESS, "secretKey": SECRET, "api": "s3v4", "path": "auto", **more}


MC = {
    "version": "10",
    "aliases": {
        "gcs": alias("https://storage.googleapis.com", api="S3v2", path="dns"),
        "local": {"url": "http://localhost:9000", "accessKey": "", "secretKey": "", "api": "S3v4", "path": "auto"},
        "s3": alias("https://s3.amazonaws.com", accessKey="YOUR-ACCESS-KEY-HERE", secretKey="YOUR-SECRET-KEY-HERE"),
        "work": alias("https://minio.example.com", sessionToken="t"),
    },
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".mc").mkdir()
    put(tmp_path / ".obsutilconfig", OBSUTIL)
    put(tmp_path / ".ossutilconfig", OSSUTIL_2)
    put(tmp_path / ".mc" / "config.json", json.dumps(MC, indent=1))
    return tmp_path


def put(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def profile(name: str, home: Path, **environment: str) -> Profile:
    found, complaint = load(name, "argument", {"HOME": str(home), **environment})
    assert complaint == ""
    assert (name, "argument") == (found.name, found.named_by)
    assert SECRET not in repr(found)
    return found


# --- obsutil ----------------------------------------------------------------------------------------------------------


def test_obsutils_file_is_read(home: Path) -> None:
    found = profile("obsutil:", home)
    expected = {"endpoint": "https://obs.cn-north-4.myhuaweicloud.com", "access_key": ACCESS, "secret_key": SECRET}
    assert ("obs", str(home / ".obsutilconfig"), expected) == (found.backend, found.place, found.settings)


def test_another_file_of_obsutil_is_named_by_its_path(home: Path, tmp_path: Path) -> None:
    other = put(tmp_path / "other", f"endpoint=host\nak=a\nsk={SECRET}\ntoken=t\n")
    expected = {"endpoint": "host", "access_key": "a", "secret_key": SECRET, "security_token": "t"}
    assert expected == profile(f"obsutil:{other}", home).settings


def test_keys_that_obsutil_encrypted_are_left_out_with_the_reason(home: Path) -> None:
    """What its AesEncrypt makes of 20 and 40 signs: two and three blocks of 16 bytes, in base64."""
    encrypted = ("8Fa0Ttsb9PyQn4jFvUUKcVQeYbqS4XcGqiPX8O9IKrs=", "c" * 64)
    text = OBSUTIL.replace(ACCESS, encrypted[0]).replace(SECRET, encrypted[1])
    put(home / ".obsutilconfig", text)

    found = profile("obsutil:", home)

    assert {"endpoint": "https://obs.cn-north-4.myhuaweicloud.com"} == found.settings
    assert {"access_key", "secret_key"} == found.withheld.keys()
    assert "obsutil keeps sk encrypted" in found.withheld["secret_key"]


def test_a_broken_file_of_obsutil_is_an_error_that_names_the_line(home: Path) -> None:
    path = put(home / ".obsutilconfig", f"endpoint=host\n\n{SECRET}\n")
    with pytest.raises(ConfigurationError, match=f"line 3 of {path} is not NAME=VALUE") as caught:
        load("obsutil:", "argument", {"HOME": str(home)})
    assert SECRET not in str(caught.value)


# --- ossutil ----------------------------------------------------------------------------------------------------------


def test_the_file_of_ossutil_1_is_read(home: Path) -> None:
    put(home / ".ossutilconfig", OSSUTIL_1)
    found = profile("ossutil:", home)
    expected = {
        "endpoint": "oss-cn-hangzhou.aliyuncs.com",
        "access_key": ACCESS,
        "secret_key": SECRET,
        "session_token": "t==",
    }
    assert ("oss", expected) == (found.backend, found.settings)


def test_the_file_of_ossutil_1_has_no_named_profiles(home: Path) -> None:
    put(home / ".ossutilconfig", OSSUTIL_1)
    with pytest.raises(ConfigurationError, match="there is no profile 'work'"):
        load("ossutil:work", "argument", {"HOME": str(home)})


@pytest.mark.parametrize("name", ["ossutil:", "ossutil:default", "ossutil:Default"])
def test_the_default_profile_of_ossutil_2_has_the_endpoint_of_its_region(home: Path, name: str) -> None:
    expected = {
        "endpoint": "https://oss-cn-hangzhou.aliyuncs.com",
        "region": "cn-hangzhou",
        "access_key": ACCESS,
        "secret_key": SECRET,
    }
    assert expected == profile(name, home).settings


@pytest.mark.parametrize(
    ("name", "environment"),
    [("ossutil:Work", {}), ("ossutil:work", {"OSSUTIL_PROFILE": "role"}), ("ossutil:", {"OSSUTIL_PROFILE": "Work"})],
)
def test_a_named_profile_of_ossutil_2_is_read(home: Path, name: str, environment: dict[str, str]) -> None:
    expected = {
        "endpoint": "https://oss-cn-beijing-internal.aliyuncs.com",
        "region": "cn-beijing",
        "access_key": "work",
        "secret_key": f"%{SECRET}%",
        "session_token": "t",
    }
    assert expected == profile(name, home, **environment).settings


def test_another_file_of_ossutil_is_named_by_its_variable(home: Path, tmp_path: Path) -> None:
    other = put(tmp_path / "other", OSSUTIL_1)
    assert str(other) == profile("ossutil:", home, OSSUTIL_CONFIG_FILE=str(other)).place


@pytest.mark.parametrize(("name", "why"), [("role", "mode=EcsRamRole"), ("child", "the profile 'default'")])
def test_keys_that_only_ossutil_could_get_are_explained(home: Path, name: str, why: str) -> None:
    found = profile(f"ossutil:{name}", home)
    assert "access_key" not in found.settings
    assert why in found.withheld["access_key"]


@pytest.mark.parametrize("text", [f"accessKeySecret={SECRET}\n", f"[default\naccessKeySecret={SECRET}\n"])
def test_a_broken_file_of_ossutil_is_an_error_without_its_lines(home: Path, text: str) -> None:
    put(home / ".ossutilconfig", text)
    with pytest.raises(ConfigurationError, match="is no INI file") as caught:
        load("ossutil:", "argument", {"HOME": str(home)})
    assert SECRET not in everything_said(caught.value)


# --- mc ---------------------------------------------------------------------------------------------------------------


def test_an_alias_of_mc_is_read(home: Path) -> None:
    found = profile("mc:work", home)
    expected = {
        "endpoint": "https://minio.example.com",
        "access_key": ACCESS,
        "secret_key": SECRET,
        "session_token": "t",
    }
    assert ("minio", str(home / ".mc/config.json"), expected) == (found.backend, found.place, found.settings)


def test_the_directory_of_mc_may_be_another(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mc").mkdir()
    put(tmp_path / "mc" / "config.json", json.dumps({"version": "10", "aliases": {"x": alias("http://host")}}))
    assert "http://host" == profile("mc:x", home, MC_CONFIG_DIR=str(tmp_path / "mc")).settings["endpoint"]


@pytest.mark.parametrize("name", ["s3", "local"])
def test_an_alias_that_mc_made_without_keys_has_none(home: Path, name: str) -> None:
    assert {"endpoint"} == profile(f"mc:{name}", home).settings.keys()


def test_an_alias_with_the_old_signature_is_an_error(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="signs with S3v2"):
        load("mc:gcs", "argument", {"HOME": str(home)})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a:s@host", {"endpoint": "https://host", "access_key": "a", "secret_key": "s"}),
        ("http://a:s/#%40@host:9000/", {"endpoint": "http://host:9000", "access_key": "a", "secret_key": "s/#%40"}),
        ("https://a:s@t@host", {"endpoint": "https://host", "access_key": "a", "secret_key": "s@t"}),
        (
            "https://a:s:t:u@host",
            {"endpoint": "https://host", "access_key": "a", "secret_key": "s", "session_token": "t:u"},
        ),
        ("https://host", {"endpoint": "https://host"}),
    ],
)
@pytest.mark.parametrize("variable", ["MC_HOST_work", "MC_HOSTS_work"])
def test_a_variable_of_mc_goes_before_its_file(home: Path, variable: str, url: str, expected: dict[str, str]) -> None:
    found = profile("mc:work", home, **{variable: url})
    assert (f"${variable}", expected) == (found.place, found.settings)


def test_a_variable_of_mc_needs_no_home_and_its_newer_name_counts() -> None:
    environment = {"MC_HOST_x": "https://new:s@host", "MC_HOSTS_x": "https://old:s@host"}
    assert "new" == load("mc:x", "argument", environment)[0].settings["access_key"]


@pytest.mark.parametrize("url", [f"ftp://a:{SECRET}@host", f"a:{SECRET}@host", f"https://a:{SECRET}@host/path"])
def test_a_variable_of_mc_that_is_no_address_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MC_HOST_x is no address") as caught:
        load("mc:x", "argument", {"MC_HOST_x": url})
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("text", [f'{{"aliases": {{"x": "{SECRET}"', "[]", '{"version": "9", "hosts": {}}'])
def test_a_broken_or_old_file_of_mc_is_an_error(home: Path, text: str) -> None:
    put(home / ".mc/config.json", text)
    with pytest.raises(ConfigurationError, match="is not mc's configuration, version 10") as caught:
        load("mc:work", "argument", {"HOME": str(home)})
    assert SECRET not in everything_said(caught.value)


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mc:play", "there is no alias 'play' in .*It has gcs, local, s3, work"),
        ("mc:", "there is no alias ''"),
        ("ossutil:nobody", "there is no profile 'nobody' in .*It has child, default, role, work"),
        ("awscli:me", "there is no profile 'awscli:me'.*obsutil, ossutil, mc"),
        (":", "there is no profile ':'"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are(home: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(name, "argument", {"HOME": str(home)})


@pytest.mark.parametrize(
    ("name", "path"), [("obsutil:", ".obsutilconfig"), ("ossutil:x", ".ossutilconfig"), ("mc:x", ".mc/config.json")]
)
def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path, name: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{tmp_path / path} does not exist.*is that set up here"):
        load(name, "argument", {"HOME": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="HOME is not set"):
        load(name, "argument", {})


@pytest.mark.parametrize("name", ["obsutil:", "ossutil:", "mc:work"])
def test_a_file_that_others_can_read_is_used_with_a_warning(
    home: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (".obsutilconfig", ".ossutilconfig", ".mc/config.json"):
        (home / path).chmod(0o640)

    found, complaint = load(name, "argument", {"HOME": str(home)})

    assert SECRET == found.settings["secret_key"]
    assert f"Run: chmod 600 {found.place}" in complaint
    assert SECRET not in complaint


def test_the_client_logs_the_warning(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / ".mc/config.json").chmod(0o644)
    StorageClient(profile="mc:work", environment={"HOME": str(home)}).close()
    assert ["can be read or changed by others" in message for message in caplog.messages] == [True]


# --- aws --------------------------------------------------------------------------------------------------------------

AWS_CONFIG = """; AWS's own comment
[default]
region = eu-central-1
aws_access_key_id = old
aws_secret_access_key = old
aws_session_token = old
[profile "my lab"]
region: eu-west-1
endpoint_url = https://s3.example.org:9000
s3 =
  addressing_style = path
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[sso-session x]
sso_region = us-east-1
"""
AWS_KEYS = f"""[default]
aws_access_key_id = {ACCESS}
aws_secret_access_key = {SECRET}
[my lab]
aws_access_key_id={ACCESS}
"""


@pytest.fixture
def aws(home: Path) -> Path:
    (home / ".aws").mkdir()
    put(home / ".aws" / "config", AWS_CONFIG)
    put(home / ".aws" / "credentials", AWS_KEYS)
    return home


def test_awss_two_files_are_read_together_and_keys_stay_together(aws: Path) -> None:
    """A token in the one file is not of the keys in the other."""
    expected = {"region": "eu-central-1", "access_key": ACCESS, "secret_key": SECRET}
    assert ("s3", expected) == (profile("aws:", aws).backend, profile("aws:", aws).settings)


def test_a_named_profile_of_aws_is_read(aws: Path) -> None:
    expected = {
        "region": "eu-west-1",
        "endpoint": "https://s3.example.org:9000",
        "path_style": "true",
        "access_key": ACCESS,
    }
    assert expected == profile("aws:my lab", aws).settings
    assert expected == profile("aws:", aws, AWS_PROFILE="my lab").settings


def test_a_profile_of_aws_with_a_role_is_left_to_botocore(aws: Path) -> None:
    assert {"credentials": "aws", "aws_profile": "role"} == profile("aws:role", aws).settings


def test_a_profile_of_aws_that_is_not_there_is_an_error_that_lists_those_that_are(aws: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no profile 'x'.*default, my lab, role"):
        profile("aws:x", aws)
    with pytest.raises(ConfigurationError, match="which do not exist"):
        profile("aws:x", aws, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")


@pytest.mark.parametrize(("name", "backend"), [("obsutil:", "obs"), ("ossutil:", "oss")])
def test_a_backend_that_cannot_be_had_is_the_ordinary_error(home: Path, name: str, backend: str) -> None:
    environment = {"HOME": str(home), "STORAGEKIT_DISABLE_PLUGINS": backend}
    with pytest.raises(BackendNotInstalledError, match=f"the backend '{backend}' is disabled"):
        StorageClient(profile=name, environment=environment)


def test_the_names_of_all_tools_are_listed(home: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(home), "MC_HOST_env": "https://host"}
    assert ["obsutil:", "ossutil:", "mc:env", "mc:gcs", "mc:local", "mc:s3", "mc:work"] == names(environment)
    assert [] == names({"HOME": str(tmp_path / "nobody")})
    assert [] == names({})


FILES = {
    "obsutil:": (".obsutilconfig", OBSUTIL),
    "ossutil:": (".ossutilconfig", OSSUTIL_2),
    "ossutil:work": (".ossutilconfig", OSSUTIL_2),
    "mc:work": (".mc/config.json", json.dumps(MC)),
}


@settings(deadline=None)  # each writes to the disk
@given(st.sampled_from(sorted(FILES)), st.integers(0, 900), st.integers(0, 30), st.sampled_from(["", "\n", "[", '"']))
def test_no_damage_to_a_file_makes_an_error_show_the_secret(name: str, at: int, cut: int, put_in: str) -> None:
    from tempfile import TemporaryDirectory

    path, text = FILES[name]
    with TemporaryDirectory() as directory:
        home = Path(directory)
        (home / path).parent.mkdir(exist_ok=True)
        put(home / path, text[:at] + put_in + text[at + cut :])
        said = ""
        try:
            load(name, "argument", {"HOME": str(home)})
        except ConfigurationError as error:
            said = everything_said(error)
        assert not [piece for piece in PIECES if piece in said]


def everything_said(error: BaseException | None) -> str:
    """The words of an error and of those behind it, which a traceback at debug level shows."""
    parts: list[Any] = []
    while error is not None:
        parts += traceback.format_exception_only(error)
        error = error.__cause__ or error.__context__
    return "".join(parts)
