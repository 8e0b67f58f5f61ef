"""The process from its first moment: Ctrl-C may come while everything else is still imported."""

import signal
import sys


def main() -> None:
    """A request to end (SIGTERM) is Ctrl-C: what was begun is told, and nothing is half said."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from drybill.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
