"""Pax8: subscriptions, invoices, drafts and metered usage over its partner API."""

from drybill.vendors.pax8.adapter import open_vendor

__all__ = ["open_vendor"]
