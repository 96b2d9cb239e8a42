"""Alibaba Cloud OSS: addresses, signatures, refusals and operations."""
