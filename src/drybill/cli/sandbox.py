"""`drybill sandbox`: a practice ground for --apply, shaped like ConnectWise, AlgaPSA and Pax8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from drybill.sandbox.store import Store


_METHODS = ("GET", "POST", "PATCH", "PUT")


def sandbox(
    folder: Annotated[
        Path, typer.Argument(help="Where its database, mapping and keys lie; made if missing.")
    ] = Path("drybill-sandbox"),
    port: Annotated[int, typer.Option(help="On 127.0.0.1.", min=1, max=65535)] = 8765,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="KIND[=VALUE][@METHOD][:TIMES], such as cut, latency=50:0, lost@PATCH."),
    ] = None,
) -> None:
    """Serve two practice PSAs and a vendor on loopback, until Ctrl-C.

    It is shaped like ConnectWise PSA, AlgaPSA and Pax8 after their published documents, AlgaPSA
    after recorded exchanges too, and was never held against their servers: what works here is
    practised, not proven. A fault meets all requests but those for a token; TIMES 0 is for ever.
    Faults: latency=MS, 429, 500, 503, timeout, cut (half a body), html (a page), lost (done, no
    answer), refuse (not done, no answer), late=MS (504, done later), edit (somebody else first),
    silent (200, not done), refusal (a 200 that says no, AlgaPSA), shift (a row twice). Needs
    drybill[sandbox].
    """
    from drybill.cli.screen import put
    from drybill.errors import InputError, Problem
    from drybill.report.words import clean

    try:
        from drybill.sandbox import seed_algapsa
        from drybill.sandbox.app import FAULTS
        from drybill.sandbox.seed import ENVIRONMENT, MAPPING, seed
        from drybill.sandbox.serve import HOST, is_free, run
        from drybill.sandbox.store import Store
    except ImportError:
        fix = "pip install 'drybill[sandbox]'"
        summary = "the sandbox needs packages that are not installed"
        raise InputError([Problem("sandbox-missing", None, summary, fix)]) from None
    if not is_free(port):
        summary = f"port {port} cannot be opened"
        raise InputError([Problem("sandbox-port", None, summary, "name another with --port")])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder / "sandbox.db")
        if not store.all("login"):
            seed(store)
        if not store.all("alga-key"):
            seed_algapsa.seed(store)
        for name, text in (("mapping.toml", MAPPING), ("algapsa.toml", seed_algapsa.MAPPING)):
            mapping = folder / name
            url = f"http://{HOST}:{port}"
            if not mapping.exists():
                mapping.write_text(text.format(url=url), "utf-8")
            elif f'"{url}"' not in mapping.read_text("utf-8"):
                summary = f"{mapping} leads to another port than {port}"
                fix = "name that one with --port, or another folder"
                raise InputError([Problem("sandbox-port", None, summary, fix)])
        keys = {**ENVIRONMENT, **seed_algapsa.ENVIRONMENT}
        lines = [f"export {name}={value}" for name, value in keys.items()]
        (folder / "keys.sh").write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        summary = f"{folder} cannot be used: {(error.strerror or str(error)).lower()}"
        raise InputError([Problem("sandbox-folder", None, summary)]) from None
    store.clear_faults()
    for words in fault or []:
        _set(store, words, FAULTS)
    said = clean(str(folder))
    put(
        f"Serving on http://{HOST}:{port} until Ctrl-C. In another terminal:\n"
        f"  . {said}/keys.sh\n"
        f"  drybill diff {said}/mapping.toml    (ConnectWise)\n"
        f"  drybill diff {said}/algapsa.toml    (AlgaPSA)\n"
    )
    run(store, port)


def _set(store: Store, words: str, known: dict[str, str]) -> None:
    """`KIND[=VALUE][@METHOD][:TIMES]`. Raises typer.BadParameter."""
    rest, _, times = words.partition(":")
    rest, _, method = rest.partition("@")
    kind, _, value = rest.partition("=")
    if kind not in known:
        raise typer.BadParameter(f"--fault {words}: kinds are {', '.join(known)}")
    if not (times or "1").isdecimal() or not (value or "0").isdecimal():
        raise typer.BadParameter(f"--fault {words}: VALUE and TIMES are whole numbers")
    if method.upper() not in ("", *_METHODS):
        raise typer.BadParameter(f"--fault {words}: methods are {', '.join(_METHODS)}")
    store.add_fault(
        kind, method=method.upper() or "*", times=int(times or 1), value=int(value or 0)
    )
