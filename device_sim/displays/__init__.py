"""Drivers of real surfaces, each imported only where a device has one."""
