"""`python -m drybill`."""

from drybill.cli.main import run

run()
