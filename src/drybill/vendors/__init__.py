"""Vendors: the usage port, the registry, and one module per vendor. They only ever read."""
