"""Transport: one HTTP client for all adapters, behind a wall that no undeclared request passes."""
