"""Recursive transfers: everything below a directory or a prefix.

    rules.py   what is decided: which names fit together, which are safe, which errors end everything. Pure
    walk.py    the files below a directory, in byte order of their keys
    files.py   the directory that a download writes to, and nothing outside of it
    moves.py   one object: is it there already, and how it is moved
    crew.py    several objects at once, and what became of each

The client's methods that are made of these are in ``_client_trees.py``.
"""
