"""What storagekit tests itself with, for everybody who writes a driver or a program on top of it.

``conformance``: the suite that every driver passes. ``faults``: a driver that fails as told, and a clock that does not
wait. ``servers``: real S3 servers on loopback. ``http_source``: an HTTP server that can be slow, lie and count its
bytes. ``proxy``: faults between a client and a real server. ``emulator``: a Huawei OBS on this machine, a strict one.

Only ``conformance`` and ``emulator.fixtures`` need pytest (``storagekit-sdk[testing]``).
"""
