"""The JSON schema of the mapping, for editors that complete and check TOML."""

from __future__ import annotations

import json
from typing import Any


def mapping_schema() -> str:
    """JSON text. References between entries are beyond it: `drybill check` looks at those."""
    from drybill.mapping import model

    schema = model.Document.model_json_schema()
    definitions: dict[str, Any] = {}

    def of(table: type[model.Table]) -> dict[str, str]:
        part = table.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(part.pop("$defs", {}))
        definitions[table.__name__] = part
        return {"$ref": f"#/$defs/{table.__name__}"}

    properties = schema["properties"]
    keyed: tuple[tuple[str, type[model.Table]], ...] = (
        ("psa", model.PsaSettings),
        ("vendors", model.VendorSettings),
        ("agreements", model.RoleTable),
        ("products", model.ProductTable),
        ("profiles", model.ProfileTable),
    )
    for name, table in keyed:
        properties[name] = {"type": "object", "additionalProperties": of(table)}
    single: tuple[tuple[str, type[model.Table]], ...] = (
        ("defaults", model.DefaultsTable),
        ("guards", model.GuardsTable),
        ("writes", model.WritesTable),
    )
    for name, table in single:
        properties[name] = of(table)
    lists: tuple[tuple[str, type[model.Table]], ...] = (
        ("lines", model.LineTable),
        ("clients", model.ClientTable),
        ("exceptions", model.ExceptionTable),
        ("accepted", model.AcceptedTable),
    )
    for name, table in lists:
        properties[name] = {"type": "array", "items": of(table)}
    for open_table in ("PsaSettings", "VendorSettings"):
        definitions[open_table]["additionalProperties"] = True  # the adapter's own keys
    schema["$defs"] = definitions
    schema["title"] = "drybill mapping"
    return json.dumps(schema, indent=2) + "\n"
