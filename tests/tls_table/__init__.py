"""Whose certificates are accepted: storagekit, ``apply_ssl_patch`` and the SDKs alone, old and new, on every Python.

    python -m tests.tls_table [--sdks obs==3.21.8 obs==3.26.6 oss==2.19.1] [--pythons 3.10 3.11 3.12 3.13]

For each SDK and Python an environment is made, and kept in the cache directory. The servers run here, one per request:
``TLSFront`` counts what comes out of TLS. *accepted* is a request that arrived, *refused* a connection that ended in
the handshake, without a byte of a request, *broken* whatever else kept it from arriving. Ends with 1 where storagekit
or the patch accepted something bad, or did not accept something good.
"""
