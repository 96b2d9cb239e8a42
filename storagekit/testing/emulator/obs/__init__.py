"""Huawei OBS: addresses, signatures, dialects and operations."""
