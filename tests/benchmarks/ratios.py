"""Speed as ratios of whole processes, measured in turns in one run.

    python tests/benchmarks/ratios.py            # start-up, and 100,000 lines
    python tests/benchmarks/ratios.py 1000000    # another size

Compared with: the `--help` of a two-command Typer application with Typer's defaults, and a script
that runs DuckDB's bare full join of the same two CSV files and counts the rows that differ.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICKSTART = Path(__file__).parents[2] / "examples/quickstart/mapping.toml"
PRODUCTS = 40
DIFFERING = 5  # percent

TWO_COMMANDS = """
import typer
app = typer.Typer()
@app.command()
def one(name: str = "x") -> None:
    "One."
@app.command()
def two(count: int = 1) -> None:
    "Two."
app()
"""

BARE_JOIN = """
import duckdb
print(duckdb.connect().execute('''
    select count(*) from read_csv('lines.csv') l full join read_csv('usage.csv') u
    on replace(l.agreement_id, 'A', 'c') = u.customer_id and replace(l.product, 'P', 'S') = u.sku
    where l.quantity is distinct from u.quantity''').fetchone()[0])
"""


def generate(folder: Path, lines: int) -> None:
    """A month of `lines` lines and as many usage rows, of which some differ."""
    chance = random.Random(1)
    clients = range(lines // PRODUCTS)
    mapping = [
        'timezone = "UTC"',
        'clients_file = "clients.csv"',
        '[psa.main]\nkind = "files"\nagreements = "agreements.csv"\nlines = "lines.csv"',
        '[vendors.v]\nkind = "files"\nusage = "usage.csv"',
        *(f'[products.P{p}]\nfrom = [{{ vendor = "v", sku = "S{p}" }}]' for p in range(PRODUCTS)),
        '[writes]\nfields = ["increase"]\nall_clients = true',
    ]
    (folder / "mapping.toml").write_text("\n".join(mapping) + "\n")
    (folder / "clients.csv").write_text(
        "id,name,v\n" + "".join(f"{c},Client {c},c{c}\n" for c in clients)
    )
    (folder / "agreements.csv").write_text(
        "agreement_id,company_id,company_name,currency,next_period_start\n"
        + "".join(f"A{c},{c},Client {c},USD,2026-12-01\n" for c in clients)
    )
    with (folder / "lines.csv").open("w") as psa, (folder / "usage.csv").open("w") as vendor:
        psa.write("line_id,agreement_id,product,description,quantity,unit_price\n")
        vendor.write("customer_id,customer_name,sku,product_name,quantity,as_of\n")
        for c in clients:
            for p in range(PRODUCTS):
                billed = chance.randint(1, 200)
                used = billed + (chance.randint(1, 9) if chance.randrange(100) < DIFFERING else 0)
                cents = chance.randint(100, 9999)
                psa.write(
                    f"L{c}-{p},A{c},P{p},Product {p},{billed},{cents // 100}.{cents % 100:02}\n"
                )
                vendor.write(f"c{c},Client {c},S{p},Product {p},{used},2026-11-25\n")


def measure(command: list[str], folder: Path) -> tuple[float, int]:
    """(seconds, peak memory in MB) of one whole process."""
    environment = {**os.environ, "DRYBILL_STATE": str(folder / "state")}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} failed: {process.stderr.read().decode()}")  # type: ignore[union-attr]
    return seconds, usage.ru_maxrss // 1024


def compare(name: str, ours: list[str], theirs: list[str], folder: Path, rounds: int) -> None:
    """Both in turns, the first round not counted; prints the median of the ratios."""
    ratios, seconds, peak = [], [], 0
    for turn in range(rounds + 1):
        mine, memory = measure(ours, folder)
        other, _ = measure(theirs, folder)
        if turn:
            ratios.append(mine / other)
            seconds.append((mine, other))
            peak = max(peak, memory)
    mine, other = (statistics.median(times) for times in zip(*seconds, strict=True))
    print(
        f"{name}: {statistics.median(ratios):.2f}x (from {min(ratios):.2f} to {max(ratios):.2f}); "
        f"{mine:.2f} s against {other:.2f} s, peak {peak} MB"
    )


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    program = [sys.executable, "-m", "drybill"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        two = [sys.executable, "-c", TWO_COMMANDS, "--help"]
        compare("--help", [*program, "--help"], two, folder, 9)
        quickstart = [*program, "diff", str(QUICKSTART), "--as-of", "2026-11-25"]
        compare("diff of the quickstart", quickstart, two, folder, 9)
        generate(folder, lines)
        large = [*program, "diff", "mapping.toml", "--as-of", "2026-11-25", "--format", "json"]
        join = [sys.executable, "-c", BARE_JOIN]
        compare(f"diff of {lines:,} lines", large, join, folder, 5)


if __name__ == "__main__":
    main()
