"""The board file of the book, as a text."""

from __future__ import annotations

FULL = """\
# a bench
[board.disco1]
class = "stm32-demo"
tags = ["cortex-m4", "desk3"]
link = { url = "hwgrep://0483:374B&SER=0670FF", baud = 115200, smp_line = 127, smp_buf = 384, group = 400 }
console = { url = "same" }              # or a second port
reset = { by = "rts", active_low = true }
power = { driver = "uhubctl", hub = "1-1.4", port = 2, off_s = 2.0, settle_s = 0.5 }
boot = { ready = "echo", timeout_s = 10, banner = "Booting" }
flash = { command = ["west", "flash", "--skip-rebuild"] }
destructive = false
[board.qemu-ref]
spawn = { driver = "qemu", machine = "mps2-an385", elf = "build/refdev.elf", serial = ["tcp", "tcp"] }
"""
