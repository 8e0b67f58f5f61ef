"""AlgaPSA's writer: one PUT of a quantity per step, its answer compared, never sent twice."""

from __future__ import annotations

from drybill.billing.change import WriteStep
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.api import Api
from drybill.psa.port import Answer
from drybill.psa.writing import HttpWriter, failed, words_of
from drybill.transport.errors import Denied, HttpError


class AlgaPsaWriter(HttpWriter[Api]):
    """AlgaPSA itself knows no lock."""

    async def execute(self, step: WriteStep) -> Answer:
        """A 2xx is believed only where the configuration that comes with it has the new quantity.

        A 500 may stand for a value that was refused, or for one that was stored: unknown.
        """
        values = dict(step.values)
        path = f"/contract-lines/{step.agreement_id}/services/{values['service_id']}"
        quantity = int(values["quantity"])
        try:
            answer = await self._api.write(path, {"quantity": quantity})
            made = answer.decode(wire.WrittenAnswer).data.baseConfig
        except HttpError as error:
            return failed(error, _said(error))
        if made.config_id != step.line_id:
            return Answer("unknown", f"answered for the configuration {made.config_id}")
        if made.quantity != quantity:
            return Answer("unknown", f"answered as done, and quantity is {made.quantity}")
        return Answer("accepted", f"configuration {made.config_id}")


def _said(error: HttpError) -> str:
    said = words_of(error)
    if isinstance(error, Denied):
        said += " (the key's user must be allowed to edit contract lines)"
    return said
