"""The files PSA: agreements and lines kept in two tables, the lines writable where they are CSV."""

from drybill.psa.files.adapter import adapter

__all__ = ["adapter"]
