"""PSAs: the port, the registry, and one folder per PSA.

An adapter reads. What writes is a separate object that only `apply/` asks for.
"""
