"""The bench: an engineer's board on a serial line, its faults, its evidence, and the way to the gateway."""
