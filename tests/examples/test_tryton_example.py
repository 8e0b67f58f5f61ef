"""examples/drybill-tryton is what an outsider could have written: it knows the public port only."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2] / "examples" / "drybill-tryton"
PUBLIC = (
    "drybill.billing",
    "drybill.psa.port",
    "drybill.psa.writing",
    "drybill.transport",
    "drybill.plugins",
)
MODULES = sorted((TOP / "drybill_tryton").glob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "drybill":
            found |= {f"drybill.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_it_imports_the_public_port_and_what_its_own_project_declares(path: Path) -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {each.partition(">")[0].removeprefix("python-") for each in project["dependencies"]}
    for name in imported(path):
        if name.split(".")[0] == "drybill":
            assert name.startswith(PUBLIC), f"{path.name} imports {name}"
        assert name.split(".")[0] not in ("proteus", "trytond")
        if name.split(".")[0] in ("pydantic", "msgspec", "dateutil", "httpx"):
            assert name.split(".")[0] in declared, f"{name} is not declared"
