"""What passes over a line: records of it, faults in it."""
