"""A device: the pure core in ``core``, and thin shells for embedded Linux and simulated fleets."""
