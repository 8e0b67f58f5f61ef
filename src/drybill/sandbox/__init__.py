"""The sandbox: a practice ground shaped like ConnectWise PSA, AlgaPSA and Pax8, on loopback only.

It is built from the vendors' published documents, and of AlgaPSA from recorded exchanges, too; not
from their servers: what works here is practised, not proven.
"""
