"""What a command says: events that a program can read line by line, or words for people."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timezone
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from storagekit import errors
from storagekit.cli._output import Output, _Lines, shorten
from storagekit.types import PartReceipt, Progress, UploadResult

RESULT = UploadResult(
    "b",
    "k\n\u2028",
    10,
    "e",
    sent=10,
    kept=0,
    parts=1,
    part_size=16,
    resumed=False,
    proof="put",
    receipt=(PartReceipt(1, 10, "e", "md5:0"),),
    notes=("one", "two"),
)


def said(output: Output, run: Any) -> tuple[str, str]:
    """Return what went to standard output and to standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        run(output)
    return out.getvalue(), err.getvalue()


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


names = st.text(min_size=1).filter(lambda name: name not in ("event", "kind", "self"))


@given(st.dictionaries(names, st.text() | st.integers() | st.none() | st.lists(st.text())))
def test_an_event_is_one_json_object_on_one_line(facts: dict[str, Any]) -> None:
    out, err = said(Output(as_json=True), lambda output: output.event("note", **facts))
    assert [{"event": "note", **facts}] == events(out)
    assert (1, "") == (out.count("\n"), err)


def test_values_that_json_does_not_have_are_written_plainly() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    facts = {"when": noon, "receipt": RESULT.receipt, "of": {"a": 1}}
    out, _ = said(Output(as_json=True), lambda output: output.event("x", **facts))
    receipt = [{"number": 1, "size": 10, "etag": "e", "proof": "md5:0"}]
    assert [{"event": "x", "when": "2026-05-01T12:00:00+00:00", "receipt": receipt, "of": {"a": 1}}] == events(out)


def test_a_whole_transfer_is_a_stream_of_events_that_ends_in_the_result() -> None:
    def run(output: Output) -> None:
        output.note("first\nline")
        with output.progress("label") as listener:
            for done in (0, 5, 10):
                listener(Progress(done, 10, 0, 4, 5))
        output.result(dict(RESULT), "line")

    out, err = said(Output(as_json=True), run)
    found = events(out)
    assert ["note", "progress", "result"] == list(dict.fromkeys(event["event"] for event in found))
    assert [0] == [event["done"] for event in found if event["event"] == "progress"][:1]
    assert ("k\n\u2028", "") == (found[-1]["key"], err)


def test_events_leave_standard_output_to_the_objects_bytes() -> None:
    out, err = said(Output(as_json=True, data_on_stdout=True), lambda output: output.result({"size": 1}, "line"))
    assert ("", [{"event": "result", "size": 1}]) == (out, events(err))


def test_an_error_is_an_event_with_all_it_knows() -> None:
    context = errors.Context("minio", "b", "k", "head", "R", 403, "access_denied", "AccessDenied", 2)
    error = errors.PermissionDeniedError("no", hint="ask", context=context)
    out, _ = said(Output(as_json=True), lambda output: output.error(error, 4))
    expected = {
        "event": "error",
        "exit_code": 4,
        "error": "PermissionDeniedError",
        "message": "no",
        "hint": "ask",
        "backend": "minio",
        "bucket": "b",
        "key": "k",
        "operation": "head",
        "request_id": "R",
        "status": 403,
        "code": "access_denied",
        "vendor_code": "AccessDenied",
        "attempts": 2,
    }
    assert [expected] == events(out)


def test_an_error_that_no_service_made_has_its_own_code() -> None:
    out, _ = said(Output(as_json=True), lambda output: output.error(errors.SourceChangedError("no"), 6))
    assert ["source_changed"] == [event["code"] for event in events(out)]


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt(), errors.ServiceError("down")])
def test_any_error_is_an_event(error: BaseException) -> None:
    out, _ = said(Output(as_json=True), lambda output: output.error(error, 1))
    assert [(type(error).__name__, 1)] == [(event["error"], event["exit_code"]) for event in events(out)]


def test_people_get_results_on_standard_output_and_the_rest_on_standard_error() -> None:
    def run(output: Output) -> None:
        output.note("kept")
        output.result({"size": 1}, "done")
        output.error(errors.ServiceError("down", hint="Run again"), 5)

    assert ("done\n", "note: kept\nerror: down. Run again\n") == said(Output(), run)


def test_quiet_says_nothing_but_errors() -> None:
    def run(output: Output) -> None:
        output.note("kept")
        with output.progress("label") as listener:
            listener(Progress(0, 10))
        output.result({"size": 1}, "done")
        output.error(errors.ServiceError("down"), 5)

    assert ("", "error: down\n") == said(Output(quiet=True), run)


def test_an_interrupt_needs_no_more_than_a_word() -> None:
    assert ("", "interrupted\n") == said(Output(), lambda output: output.error(KeyboardInterrupt(), 130))


def test_without_a_terminal_progress_is_one_line() -> None:
    def run(output: Output) -> None:
        with output.progress("s3://b/k") as listener:
            for done in (4 * 2**20, 8 * 2**20):
                listener(Progress(done, 16 * 2**20, 4 * 2**20, 4, 2**20))

    line = "s3://b/k: 16.0 MiB, 4.0 MiB already there, 4 workers with parts of 1.0 MiB\n"
    assert ("", line) == said(Output(), run)


def test_without_a_terminal_a_long_transfer_says_every_half_minute_how_far_it_is() -> None:
    now = iter([0.0, 29.0, 30.0, 31.0, 70.0])
    lines = _Lines("k", lambda: next(now))
    err = io.StringIO()

    with redirect_stderr(err):
        for done in (0, 29 * 2**20, 30 * 2**20, 31 * 2**20, 70 * 2**20):
            lines(Progress(done, 100 * 2**20, 0, 4, 2**20))

    assert [
        "k: 100.0 MiB, 4 workers with parts of 1.0 MiB",
        "k: 30.0 MiB of 100.0 MiB (30 %), 1.0 MiB/s, 70 s left",
        "k: 70.0 MiB of 100.0 MiB (70 %), 1.0 MiB/s, 30 s left",
    ] == err.getvalue().splitlines()


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [
        (0, 10, "k: 0 B of 10 B (0 %), 0 B/s"),
        (60, None, "k: 60 B, 2 B/s"),
        (0, 0, "k: 0 B of 0 B (0 %), 0 B/s"),
    ],
)
def test_what_is_not_known_is_not_said(done: int, total: int | None, said: str) -> None:
    now = iter([0.0, 30.0])
    lines = _Lines("k", lambda: next(now))
    err = io.StringIO()

    with redirect_stderr(err):
        lines(Progress(0, total))
        lines(Progress(done, total))

    assert said == err.getvalue().splitlines()[1]


@pytest.mark.parametrize("answer", ["y", "Y\n", "yes\n", " YES \n"])
def test_yes_is_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    assert ("", "Delete 3 objects? [y/N] ") == said(Output(), lambda output: output.ask("Delete 3 objects?", yes=False))


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yo\n", "ye\n"])
def test_anything_else_is_no(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    with pytest.raises(typer.Exit):
        said(Output(), lambda output: output.ask("Delete 3 objects?", yes=False))


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_a_script_is_not_asked_but_told_of_the_option(
    monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)

    with pytest.raises(errors.ConfigurationError, match="Nobody is there to answer") as caught:
        Output().ask("Delete 3 objects?", yes=False)

    assert "Add --yes" == caught.value.hint
    Output().ask("Delete 3 objects?", yes=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_label_keeps_its_end_where_the_name_is() -> None:
    assert ["short", "...me.tar", "...r"] == [
        shorten(*given) for given in [("short", 5), ("minio://bucket/name.tar", 9), ("minio://bucket/name.tar", 0)]
    ]


def test_an_unknown_length_is_said_so() -> None:
    def run(output: Output) -> None:
        with output.progress("x") as listener:
            listener(Progress(0, None, 0, 1, 1024))

    assert "x: unknown length, 1 worker with parts of 1.0 KiB\n" == said(Output(), run)[1]
