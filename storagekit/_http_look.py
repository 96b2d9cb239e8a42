"""The look at a URL: one GET for its first byte decides how its bytes can be had. See ``_http.py``."""

from __future__ import annotations

from requests import Response

from storagekit._guard import Guard
from storagekit._http_ranges import OpenRanges
from storagekit._http_rules import validators_of_piece
from storagekit._http_session import Requester
from storagekit._http_whole import OpenWhole

OpenURL = OpenRanges | OpenWhole


def open_url(requester: Requester, guard: Guard) -> OpenURL:
    """Return the opened source. Closes nothing but answers: the requester is the caller's until this returns."""
    answer = guard.call("open", lambda: _best_answer(requester))
    try:
        if answer.status_code == 200:
            return OpenWhole(requester, guard, answer)
        known = validators_of_piece(answer.headers, requester.shown)
        return OpenRanges(requester, guard, answer.headers, known)
    except BaseException:
        answer.close()
        raise


def _best_answer(requester: Requester) -> Response:
    """Return a 206 (closed) whose version can be pinned, or else a 200 (open) that carries everything."""
    answer = requester.first_byte()
    if answer.status_code == 200:
        return requester.readable(answer)
    answer.close()
    pinned = answer.status_code == 206 and validators_of_piece(answer.headers, requester.shown).strong
    return answer if pinned else requester.everything()
