"""What is here are distributions of their own: tests/integration/test_third_party.py runs their tests, installed."""

from __future__ import annotations

collect_ignore_glob = ["*/tests/*"]
