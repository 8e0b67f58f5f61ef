"""The mapping: TOML and CSV files, checked and turned into the billing core's `Policy`."""
