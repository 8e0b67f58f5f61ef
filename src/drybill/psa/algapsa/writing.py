"""AlgaPSA's writer: one PUT of a quantity per step, its answer compared, never sent twice."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from drybill.billing.change import WriteStep
from drybill.psa.algapsa import wire
from drybill.psa.algapsa.api import Api
from drybill.psa.port import Answer
from drybill.psa.rejections import NOT_DONE, code_of
from drybill.transport.errors import Denied, HttpError


class AlgaPsaWriter:
    """The lock of this machine is held by whoever applies; AlgaPSA itself knows none."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises InputError where a secret is missing."""
        await self._open.enter_async_context(self._api.open())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._open.aclose()

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
        except NOT_DONE as error:
            return Answer("rejected", _said(error), code=code_of(error))
        except HttpError as error:
            return Answer("unknown", _said(error))
        if made.config_id != step.line_id:
            return Answer("unknown", f"answered for the configuration {made.config_id}")
        if made.quantity != quantity:
            return Answer("unknown", f"answered as done, and quantity is {made.quantity}")
        return Answer("accepted", f"configuration {made.config_id}")


def _said(error: HttpError) -> str:
    said = f"{error.status}: {error.said}" if error.status else error.said
    if isinstance(error, Denied):
        said += " (the key's user must be allowed to edit contract lines)"
    return said
