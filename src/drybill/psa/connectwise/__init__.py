"""ConnectWise PSA: agreements and their additions over its REST API."""

from drybill.psa.connectwise.adapter import adapter

__all__ = ["adapter"]
