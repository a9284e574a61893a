"""SMP (MCUmgr) over a serial console: frames, messages, a client that says why it got nothing."""
