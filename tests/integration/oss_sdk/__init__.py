"""The vendor's own two SDKs as judges: every call of theirs that storagekit covers, made to a server, and its answer.

Runs by itself, in an environment that holds nothing but `oss2` or `alibabacloud-oss-v2` (`tests/integration/
sdk_environments.py`): `python -m tests.integration.oss_sdk`, told on standard input where the server is, which SDK is
meant and how it is to talk (`bench.Setting`). It prints one line of JSON per check.

The SDKs are unmodified, and compare CRC-64s as they do by default. The checks are the same for both: `by_oss2` and
`by_v2` make the calls and return what the SDK returned, in the terms of `bench`. A check looks at that and at bytes
read back; that nothing was raised is no result.
"""
