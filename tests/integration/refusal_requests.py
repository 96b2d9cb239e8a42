"""Requests whose every signed byte is changed, and the judge who looks at what became of them: OBS's and OSS's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.integration.emulator_world import BUCKET, KEY, NEIGHBOURS, World, md5
from tests.integration.obs_changes import Change
from tests.integration.raw_requests import Request, Wire, rfc1123

Verdicts = frozenset[tuple[int, str | None]]
WRONG: Verdicts = frozenset({(403, "SignatureDoesNotMatch")})
DENIED = (403, "AccessDenied")

DELETION = b"<Delete><Object><Key>dir/Object-1.txt</Key></Object></Delete>"


def put(world: World, prefix: str) -> Request:
    headers = {"Content-MD5": md5(b"new"), "Content-Type": "text/x-own; charset=utf-8", f"{prefix}meta-colour": "Red 1"}
    return Request("PUT", BUCKET, "New/object-2", headers={**headers, f"{prefix}acl": "private"}, body=b"new")


def put_with_own_date(world: World, prefix: str) -> Request:
    return Request("PUT", BUCKET, "new", headers={f"{prefix}date": rfc1123(world.now)}, body=b"new")


def put_part(world: World, prefix: str) -> Request:
    return Request("PUT", BUCKET, "big", {"partNumber": "2", "uploadId": world.upload}, body=b"new")


def copy(world: World, prefix: str) -> Request:
    return Request("PUT", BUCKET, "copied", headers={f"{prefix}copy-source": f"/{BUCKET}/{KEY}"})


def copy_part(world: World, prefix: str) -> Request:
    headers = {f"{prefix}copy-source": f"/{BUCKET}/big-source", f"{prefix}copy-source-range": "bytes=10-99"}
    return Request("PUT", BUCKET, "big", {"partNumber": "2", "uploadId": world.upload}, headers)


def begin(world: World, prefix: str) -> Request:
    return Request("POST", BUCKET, "begun", {"uploads": None})


def abort(world: World, prefix: str) -> Request:
    return Request("DELETE", BUCKET, "big", {"uploadId": world.upload})


def delete(world: World, prefix: str) -> Request:
    return Request("DELETE", BUCKET, KEY)


def delete_many(world: World, prefix: str) -> Request:
    headers = {"Content-MD5": md5(DELETION), "Content-Type": "application/xml"}
    return Request("POST", BUCKET, query={"delete": None}, headers=headers, body=DELETION)


def get(world: World, prefix: str) -> Request:
    return Request("GET", BUCKET, KEY, {"response-content-type": "text/Other", "response-expires": "never"})


def head(world: World, prefix: str) -> Request:
    return Request("HEAD", BUCKET, KEY)


def list_parts(world: World, prefix: str) -> Request:
    return Request("GET", BUCKET, "big", {"uploadId": world.upload, "max-parts": "5"})


def remove_bucket(world: World, prefix: str) -> Request:
    return Request("DELETE", NEIGHBOURS[0])


REQUESTS: dict[str, Callable[[World, str], Request]] = {
    made.__name__: made
    for made in (
        *(put, put_with_own_date, put_part, copy, copy_part, begin, abort, delete, delete_many, get, head, list_parts),
        remove_bucket,
    )
}

URLS = {name: made for name, made in REQUESTS.items() if name not in ("put_with_own_date", "head", "list_parts")}


def judge(world: World, sent: Wire, all_changes: Iterator[Change], also: Mapping[str, Verdicts]) -> None:
    """Every change is refused as `also` has it, by element, and changes nothing; what was signed is accepted."""
    before = world.everything()
    accepted, count = [], 0
    for change in all_changes:
        count += 1
        answer = world.send(change.sent)
        allowed = also.get(change.element, WRONG)
        if change.sent.method == "HEAD" or (sent.method == "HEAD" and answer.code is None):  # no body, no code
            allowed = frozenset((status, None) for status, _ in allowed)
        if answer.verdict not in allowed:
            accepted.append(f"{change.element}: {change.how!r} was answered {answer.verdict}")
    assert accepted == []
    assert count > 30
    assert world.everything() == before
    answer = world.send(sent)
    assert answer.status < 300, answer
