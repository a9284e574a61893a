"""A device in a home that runs Home Assistant: what it announces there, and which buttons that may press."""
