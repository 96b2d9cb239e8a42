"""The vendor's own SDK as a judge: every call of it that storagekit covers, made to a server, and what it answers.

Runs by itself, in an environment that holds nothing but `esdk-obs-python` of one version on one Python
(`tests/integration/sdk_environments.py`): `python -m tests.integration.obs_sdk`, told on standard input where the
server is and how to talk to it (`bench.Setting`). It prints one line of JSON per check.

The SDK is unmodified. A check looks at what the SDK returns (status, fields, headers) and at bytes read back; that
nothing was raised is no result.
"""
