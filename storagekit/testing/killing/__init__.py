"""Kill a program at any moment of its transfer, by triggers that sit in the servers it talks to.

>>> with FaultProxy("http://127.0.0.1:9000") as proxy:
...     lost_answer = AfterRequest(proxy, is_complete(), when="after forward, before answer")
...     outcome = run_until([*command, "cp", path, uri], lost_answer, environment={"MINIO_ENDPOINT": proxy.endpoint})
...     assert outcome.killed

``run_until`` (``runner``) starts the command in a process group of its own and sends SIGKILL to the group when the
trigger fires. The program under test knows nothing of it: no environment variable, no branch. A trigger is any object
with ``armed(kill)``, a context manager; those here (``triggers``, ``watching``) count from the moment they are armed:

``AfterRequest``   the nth request that a predicate picks, seen by the ``FaultProxy`` in front of the storage server:
                   before it is passed on, in its body, once the server has answered, once the client has been
``AfterBytes``     bytes to the server, exactly, seen by a ``TCPProxy``
``SourceServed``   bytes that the HTTP source has served
``AfterChange``    the nth file that appears, vanishes or grows below a directory: for a backend without a server
``AfterSeconds``   a time, for the moments that nobody thought of

``moments(seed, count, kinds)`` (``plan``) is a plan of kills in which every kind occurs equally often. It is a function
of its arguments, so a failure is repeated from the seed that it printed. What a kind means in the S3 protocol, or on
the local backend, is in ``kinds``.
"""

from storagekit.testing.killing.kinds import LOCAL_KINDS, S3_KINDS, Folder, Front, local_trigger, s3_trigger
from storagekit.testing.killing.plan import Moment, moments
from storagekit.testing.killing.runner import Outcome, run_until
from storagekit.testing.killing.triggers import AfterBytes, AfterRequest, AfterSeconds, SourceServed, Trigger
from storagekit.testing.killing.watching import AfterChange

__all__ = [
    "LOCAL_KINDS",
    "S3_KINDS",
    "AfterBytes",
    "AfterChange",
    "AfterRequest",
    "AfterSeconds",
    "Folder",
    "Front",
    "Moment",
    "Outcome",
    "SourceServed",
    "Trigger",
    "local_trigger",
    "moments",
    "run_until",
    "s3_trigger",
]
