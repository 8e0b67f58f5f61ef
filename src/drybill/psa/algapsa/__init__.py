"""AlgaPSA: contract lines and the quantities of their services over its REST API."""

from drybill.psa.algapsa.adapter import adapter

__all__ = ["adapter"]
