"""The table of contents of the work: ``nox -l``. Pythons are read from pyproject.toml's classifiers."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.default_venv_backend = "venv"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Everything that a change must pass, as the README's second command runs it, on one Python."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Whole transfers on real servers (MinIO, Swift, moto, rclone, Ceph) and a local directory."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "tests/integration", "tests/conformance", *session.posargs)


@nox.session
def hostile(session: nox.Session) -> None:
    """Every way in which a web server lies or breaks off; prints a table of what became of each."""
    session.install(".[test]")
    session.run("python", "-m", "storagekit.testing.hostile", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """The conformance suite against drivers that are wrong in one thing each."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "-s", "tests/conformance/mutants", *session.posargs)


@nox.session
def acceptance(session: nox.Session) -> None:
    """The long form of the kill and two-writer tests: 1 GiB, 50 rounds, 300 kills. About 30 minutes on two cores."""
    session.install(".[test]")
    environment = {
        "STORAGEKIT_TEST_KILL_SIZE": str(1024**3),
        "STORAGEKIT_TEST_ROUNDS": "50",
        "STORAGEKIT_TEST_KILLS": "300",
    }
    files = [f"tests/integration/test_{name}.py" for name in ("kill", "300_kills", "two_writers", "faults", "memory")]
    session.run("python", "-m", "pytest", "-s", *files, *session.posargs, env=environment)


@nox.session
def minimums(session: nox.Session) -> None:
    """The oldest SDKs, and libraries that bytes pass through, that the extras allow."""
    sdks = ("minio==7.2.0", "esdk-obs-python==3.24.3", "oss2==2.18.4")
    session.install(".[test]", *sdks, "urllib3==2.0.2", "requests==2.31.0", "fastcrc==0.4.0")
    unit = [
        f"tests/unit/test_{name}.py" for name in ("minio_driver", "minio_regions", "obs_driver", "oss_driver", "hash")
    ]
    real = [f"tests/conformance/test_{name}.py" for name in ("s3", "obs", "oss")]
    real += ["tests/integration/test_s3_features.py"]
    session.run("python", "-m", "pytest", *unit, *real)


@nox.session
def tls(session: nox.Session) -> None:
    """Whose certificates are accepted: storagekit, apply_ssl_patch and the OBS SDK, old and new, on every Python."""
    session.install(".[test]")
    session.run("python", "-m", "tests.tls_table", *session.posargs)


@nox.session
def sais_pyobs(session: nox.Session) -> None:
    """What sais-pyobs stores wrongly without an error, beside storagekit; theirs in an environment of its own."""
    session.install(".[test]")
    session.run("python", "tests/benchmarks/sais_pyobs_corruptions.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("ruff>=0.8")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Strict types (mypy) over everything; the typed uses of the public API by pyright as well."""
    session.install(".[dev]", "pyright[nodejs]>=1.1.380")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.virtualenv.location) / "bin" / "python"))


@nox.session
def docs(session: nox.Session) -> None:
    """The pages: every snippet runs, everything that is there is named; then the site, strictly, into ``site/``."""
    session.install(".[test,docs]")
    session.run("python", "-m", "pytest", "tests/docs", "tests/unit/test_docs.py", *session.posargs)
    session.run("mkdocs", "build", "--strict", "-f", ".mkdocs.yml")


@nox.session
def changelog(session: nox.Session) -> None:
    """Show the changelog's next section; ``-- --version 0.2.0`` writes it and removes the fragments."""
    session.install("towncrier>=24.8")
    how = ["--yes", *session.posargs] if session.posargs else ["--draft", "--version", "next"]
    session.run("towncrier", "build", *how)


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, as ratios measured side by side in one run; prints a table."""
    session.install(".[test]")
    session.run("python", "tests/benchmarks/upload.py", *session.posargs)
    session.run("python", "-m", "tests.benchmarks.parts")
    session.run("python", "-m", "tests.benchmarks.obs_parts")
    session.run("python", "-m", "tests.benchmarks.oss_parts")
    session.run("python", "tests/benchmarks/help.py")


@nox.session
def downstream(session: nox.Session) -> None:
    """A driver by somebody else, from its wheel beside ours, in a fresh environment: the suite, and a killed upload."""
    project, wheels = Path("tests/third_party/storagekit-sftp").resolve(), Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(wheels), ".", str(project))
    ours, theirs = sorted(wheels.glob("storagekit_s*.whl"))
    session.install(f"{ours}[testing]", f"{theirs}[test]")
    session.run("storagekit", "backends")
    session.chdir(session.create_tmp())  # away from the sources: what is imported is what was installed
    suite = ["-p", "no:cacheprovider", "-c", str(project / "pyproject.toml"), str(project)]
    session.run("python", "-m", "pytest", *suite, *session.posargs)
