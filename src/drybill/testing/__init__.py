"""Conformance kits: what an adapter must hold, as pytest tests for its own suite."""
