"""Tryton: subscriptions and their lines over its REST interface."""

from drybill_tryton.adapter import adapter

__all__ = ["adapter"]
