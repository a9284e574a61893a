"""Hostile input at random: seeds, mutations, and what must hold of every parser. The runner is hil/refdevice/fuzz/run."""
