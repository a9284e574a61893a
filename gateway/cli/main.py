"""The ``tocsin`` command. It imports nothing before it can end clean on Ctrl-C."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command and end the process with its documented exit status."""
    try:
        from gateway.cli.run import run  # noqa: PLC0415 - importing takes most of a short command's time

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("error: Interrupted.\n")
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
