"""The table of contents of the work: ``nox -l``. Pythons are read from pyproject.toml's classifiers."""

from __future__ import annotations

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
    """Whole transfers on real servers: MinIO, Swift, local."""
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
    """The oldest vendor SDK that the extras allow."""
    session.install(".[test]", "minio==7.2.0")
    session.run("python", "-m", "pytest", "tests/conformance/test_s3.py", "tests/unit/test_minio_driver.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("ruff>=0.8")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Strict types (mypy) over the package, the plugins, the tests and the typed uses of the public API."""
    session.install(".[dev]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Every link in the docs leads somewhere, and every command, error and limit in them exists."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "tests/unit/test_docs.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, as ratios measured side by side in one run; prints a table."""
    session.install(".[test]")
    session.run("python", "tests/benchmarks/upload.py", *session.posargs)
