"""ConnectWise's writer: one call per step, its answer compared, never sent twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drybill.billing.change import WriteStep
from drybill.psa.connectwise import wire
from drybill.psa.connectwise.api import Api
from drybill.psa.port import Answer
from drybill.psa.writing import HttpWriter, failed, words_of
from drybill.transport.errors import Denied, HttpError


class ConnectWiseWriter(HttpWriter[Api]):
    """ConnectWise itself knows no lock."""

    async def execute(self, step: WriteStep) -> Answer:
        """A 2xx is believed only where the object that comes with it has the new value."""
        path = f"/finance/agreements/{int(step.agreement_id)}/additions"
        try:
            if step.action == "patch":
                operations = [_operation(name, value) for name, value in step.values]
                answer = await self._api.write("PATCH", f"{path}/{int(step.line_id)}", operations)
            else:
                answer = await self._api.write("POST", path, _addition(dict(step.values)))
            made = answer.decode(wire.Addition)
        except HttpError as error:
            return failed(error, _said(error, step, self._api.has_own_keys))
        return _compared(step, made)


def _operation(name: str, value: str) -> dict[str, Any]:
    """JSON Patch as ConnectWise takes it: paths without a slash (Developer Guide, PATCH)."""
    if not value:
        return {"op": "remove", "path": name}
    return {"op": "replace", "path": name, "value": _json(name, value)}


def _addition(values: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        name: _json(name, value) for name, value in values.items() if name != "product" and value
    }
    return {"product": {"id": int(values.get("product", 0))}, **body}


def _json(name: str, value: str) -> object:
    return Decimal(value) if name in ("quantity", "unitPrice", "lessIncluded") else value


def _compared(step: WriteStep, made: wire.Addition) -> Answer:
    """ConnectWise may answer 200 and change nothing (Developer Guide, PATCH)."""
    now = {
        "quantity": made.quantity,
        "unitPrice": made.unitPrice,
        "cancelledDate": made.cancelledDate,
        "effectiveDate": made.effectiveDate,
    }
    for name, value in step.values:
        if name in now and not _same(now[name], value):
            return Answer("unknown", f"answered as done, and {name} is {now[name]}")
    return Answer("accepted", f"addition {made.id}", str(made.id) if step.creates else "")


def _same(found: object, wanted: str) -> bool:
    if isinstance(found, Decimal):
        return found == Decimal(wanted)
    return (found or "") == wanted or (isinstance(found, str) and found[:10] == wanted[:10])


def _said(error: HttpError, step: WriteStep, own_keys: bool) -> str:
    said = words_of(error)
    right = "Add" if step.creates else "Edit"
    keys = "" if own_keys else "; these are the reading keys, name others in write_credentials"
    if error.status == 401:
        said += f" (the writing keys are not taken{keys})"
    elif isinstance(error, Denied):
        said += f" (the role of the writing keys needs {right} on Finance > Agreements{keys})"
    return said
