"""The device core: bytes and ``now`` in, effects out."""
