"""The power goes at every change of the C device's flash, in whole flows: what must hold, and how each ends."""
