"""How long a live fetch takes, beside what its requests must take at least.

500 agreements with 20 additions each and 2,000 subscriptions, from the sandbox, 50 ms an answer:
`python tests/benchmarks/fetch.py`. The bound is (requests / requests at once) x latency for the
slower of the two sources, which are read side by side.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drybill.sandbox.seed import (
    ENVIRONMENT,
    MAPPING,
    agreement,
    line,
    pax8_company,
    seed,
    subscription,
)
from drybill.sandbox.store import Store

AGREEMENTS, ADDITIONS, SUBSCRIPTIONS = 500, 20, 2_000
LATENCY = 0.05
AT_ONCE = 4  # the adapters' default
PORT = 8797
SERVER = """
import sys
from drybill.sandbox.serve import run
from drybill.sandbox.store import Store
store = Store(sys.argv[1])
store.clear_faults()
store.add_fault("latency", times=0, value=50)
run(store, int(sys.argv[2]))
"""


ALONE = """
import sys, time
from pathlib import Path
from drybill.flow.fetch import fetch, open_sources
from drybill.mapping.load import load
mapping = load(Path(sys.argv[1]))
open_sources(mapping)
begun = time.monotonic()
fetch(mapping)
print(time.monotonic() - begun)
"""


def fill(store: Store) -> str:
    """The documents, and the clients of a mapping that reaches them all."""
    seed(store)
    products = range(2_000, 2_000 + ADDITIONS)
    numbers = range(10_000, 10_000 + AGREEMENTS)
    store.put_all("agreement", [("", agreement(n, n, f"Client {n}")) for n in numbers])
    store.put_all(
        "addition",
        [
            (str(n), {**line(n * 100 + at, product, 5, "4.00"), "agreementId": n})
            for n in numbers
            for at, product in enumerate(products)
        ],
    )
    store.put_all(
        "pax8-company",
        [("", {"id": pax8_company(n), "name": f"Client {n}", "status": "Active"}) for n in numbers],
    )
    store.put_all(
        "pax8-subscription",
        [
            ("", subscription(10_000 + at, numbers[at % AGREEMENTS], "EDR", 5))
            for at in range(SUBSCRIPTIONS)
        ],
    )
    clients = (
        f'[[clients]]\nid = {n}\nvendors = {{ pax8 = "{pax8_company(n)}" }}\n' for n in numbers
    )
    return "".join(clients)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "sandbox.db")
        clients = fill(store)
        mapping = folder / "mapping.toml"
        mapping.write_text(MAPPING.format(url=f"http://127.0.0.1:{PORT}") + clients, "utf-8")
        environment = {**os.environ, **ENVIRONMENT, "DRYBILL_STATE": str(folder / "state")}
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder / "sandbox.db"), str(PORT)]
        )
        try:
            time.sleep(3)
            begun = time.monotonic()
            words = [sys.executable, "-m", "drybill", "diff", str(mapping), "--quiet"]
            subprocess.run(words, env=environment, check=True, capture_output=True)
            took = time.monotonic() - begun
            asked = [each["path"] for each in store.requests()]
            alone = float(
                subprocess.run(
                    [sys.executable, "-c", ALONE, str(mapping)],
                    env=environment, check=True, capture_output=True,
                ).stdout
            )  # fmt: skip
        finally:
            server.terminate()
            server.wait()
        psa = sum("/finance/" in path or "companyinfo" in path for path in asked)
        bound = math.ceil(max(psa, len(asked) - psa) / AT_ONCE) * LATENCY
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        additions = sum(path.endswith("/additions") for path in asked)
        print(f"requests           {psa} to the PSA, {len(asked) - psa} to the vendor")
        print(f"additions          {additions} for {AGREEMENTS + 3} agreements: one each")
        print(f"bound              {bound:.2f} s")
        print(f"fetch alone        {alone:.2f} s: {alone / bound:.2f}x")
        print(f"whole process      {took:.2f} s: {took / bound:.2f}x")
        print(f"peak memory        {peak:.0f} MB, the larger of client and server")


if __name__ == "__main__":
    main()
