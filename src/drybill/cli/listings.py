"""`drybill schema`, `vendors`, `psa`: what this installation knows; no keys, no network."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON schema of the mapping."""
    from drybill.cli.screen import put
    from drybill.mapping.schema import mapping_schema

    put(mapping_schema())


def vendors() -> None:
    """List the vendor adapters and ready-made column maps."""
    from drybill.cli.screen import put
    from drybill.vendors.map_settings import formats
    from drybill.vendors.registry import adapters

    lines = [f'kind = "{kind}"' for kind in adapters()]
    lines += [f'kind = "files", format = "{name}"' for name in formats()]
    put("\n".join(lines) + "\n")


def psa() -> None:
    """List the PSA adapters and what each can do. Of files only CSV and TSV can be written."""
    from drybill.cli.screen import put, width
    from drybill.psa.registry import capabilities
    from drybill.report.adapters import render_adapters

    put(render_adapters(capabilities(), width()))
