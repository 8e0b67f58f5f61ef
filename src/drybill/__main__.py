"""The process from its first moment: Ctrl-C may come while everything else is still imported."""

import sys


def main() -> None:
    try:
        from drybill.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
