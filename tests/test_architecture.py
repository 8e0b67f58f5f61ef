"""The arrows of the house: which package may import which. A wrong one is a wrong room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import drybill

ROOT = Path(drybill.__file__).parent

# Every package may import itself; `errors` may be imported by all.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "whole": set(),
    "secrets": {"whole"},
    "transport": {"secrets", "whole"},
    "billing": set(),
    "plan": {"billing"},
    "tabular": {"whole"},
    "plugins": {"tabular"},
    "mapping": {"billing", "tabular", "secrets", "whole"},
    "psa": {"billing", "tabular", "plugins", "transport", "whole"},
    "vendors": {"billing", "tabular", "plugins", "transport"},
    "journal": {"billing", "plan"},
    "flow": {"billing", "plan", "mapping", "psa", "vendors", "journal"},
    "apply": {"billing", "plan", "psa", "journal", "whole"},
    "report": {"billing", "plan"},
    "testing": {"billing", "plan", "psa", "apply"},
    "demo": set(),
    "sandbox": set(),
    "cli": {
        "sandbox",
        "transport",
        "secrets",
        "whole",
        "flow",
        "apply",
        "journal",
        "report",
        "demo",
        "mapping",
        "plan",
        "billing",
        "psa",
        "vendors",
    },
}

# Third parties stay at the edges.
EDGES = {
    "typer": {"cli"},
    "rich": {"report", "cli"},
    "pydantic": {"mapping", "plugins", "psa", "vendors"},
    "tomli": {"mapping", "vendors"},
    "tomli_w": {"mapping"},
    "tree_sitter": {"mapping"},
    "tree_sitter_toml": {"mapping"},
    "deepdiff": {"apply"},
    "filelock": {"psa", "apply"},
    "python_calamine": {"tabular"},
    "sqlite3": {"journal", "sandbox"},
    "platformdirs": {"journal"},
    "asyncio": {"flow", "apply", "psa", "sandbox", "testing", "transport", "vendors"},
    "pytest": {"testing"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
    "httpx": {"transport"},
    "stamina": {"transport"},
    "pyrate_limiter": {"transport"},
    "vcr": {"transport"},
    "keyring": {"secrets"},
}

CLOCKS_AND_FILES = {"os", "io", "time", "pathlib", "socket", "subprocess", "random", "secrets"}


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        room = parts[0] if len(parts) > 1 else path.stem
        found.append((room, path))
    return found


def imports(path: Path) -> set[str]:
    """Full names of what a module imports when it runs; imports for type checkers do not count."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "drybill":
                found |= {f"drybill.{alias.name}" for alias in node.names}
    return found


def calls(path: Path) -> set[str]:
    """Last names of everything that a module calls."""
    called = [
        n.func for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)
    ]
    return {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in called}


@pytest.mark.parametrize(("room", "path"), modules(), ids=lambda value: str(value)[-50:])
def test_a_module_imports_only_what_its_room_may(room: str, path: Path) -> None:
    if room in ("__init__", "__main__"):
        return
    allowed = ARROWS[room] | {room, "errors"}
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "drybill" and rest and rest[0] not in ("__version__", *allowed):
            pytest.fail(f"{path.relative_to(ROOT)} imports {name}: {room} may not")
        if top in EDGES and room not in EDGES[top]:
            pytest.fail(f"{path.relative_to(ROOT)} imports {top}: it belongs to {EDGES[top]}")


@pytest.mark.parametrize("room", ["billing", "plan"])
def test_the_core_does_no_io_and_reads_no_clock(room: str) -> None:
    for path in (ROOT / room).glob("*.py"):
        assert not imports(path) & CLOCKS_AND_FILES, path.name
        assert not calls(path) & {"open", "print", "now", "today"}, path.name


def test_no_float_anywhere() -> None:
    """Money and quantities never pass through float. XLSX cells arrive as floats: only tabular
    may name the type, to turn it into its shortest decimal text. Transport counts seconds; that
    its numbers are Decimals of their text has a test of its own. The sandbox stands for servers
    that speak in JSON's doubles."""
    for room, path in modules():
        if room in ("transport", "sandbox"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                pytest.fail(f"{path.relative_to(ROOT)}:{node.lineno} has a float")
            if (
                isinstance(node, ast.Name)
                and node.id == "float"
                and room not in ("tabular", "mapping")
            ):
                pytest.fail(f"{path.relative_to(ROOT)}:{node.lineno} names float")


def test_only_apply_gets_a_writer() -> None:
    for room, path in modules():
        # the report's are writers of CSV text; the kit proves writers, in suites alone
        if room not in ("apply", "psa", "report", "testing"):
            assert "writer" not in calls(path), path
