"""Fixtures that every room of the gateway shares."""

from tests.gateway.databases import any_place, any_store, both_engines

__all__ = ["any_place", "any_store", "both_engines"]
