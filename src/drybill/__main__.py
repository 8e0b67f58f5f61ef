"""`python -m drybill`."""

from drybill.cli.main import main

main()
