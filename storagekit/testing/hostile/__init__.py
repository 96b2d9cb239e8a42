"""A hostile HTTP source: more than a hundred named ways in which a server can fail, change, lie or break HTTP.

Each case says what is served and what has to come of it: an object of exactly the right bytes, or no object at all,
this class of error and this exit code. Never a short or a spliced object.

    python -m storagekit.testing.hostile              runs all, prints the table, fails unless all hold
    python -m storagekit.testing.hostile gzip-bomb    runs the named ones

``site`` is an honest server, ``lies`` are functions that change its answers, ``wire`` puts them on the socket;
the cases are in ``versions``, ``pieces`` (ranges), ``framing`` and ``faults``; ``running`` runs them.
"""
