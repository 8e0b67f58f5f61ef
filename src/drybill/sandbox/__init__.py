"""The sandbox: a practice ground shaped like ConnectWise PSA and Pax8, on loopback only.

It is built from the vendors' published documents, not from their servers: what works here is
practised, not proven.
"""
