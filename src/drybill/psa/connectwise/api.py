"""ConnectWise's API: where it is, what of it is read, what is written, and how its errors speak."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from drybill.errors import InputError, Problem
from drybill.psa.connectwise.settings import Settings
from drybill.psa.connectwise.wire import CompanyInfo
from drybill.transport import cassette
from drybill.transport.auth import StaticHeaders, basic, fetch_all, fetch_name
from drybill.transport.client import Answer, Client
from drybill.transport.errors import HttpError, NotFound, ServerFailed
from drybill.transport.limits import Limits
from drybill.transport.paging import LastId
from drybill.transport.wall import Operation

T = TypeVar("T")

_COMPANY = "/login/companyinfo/"
_ROOT = r"/(?:[\w.-]+/)+apis/3\.0"
READS = (
    Operation("GET", r"/login/companyinfo/[\w.*-]+"),
    Operation("GET", _ROOT + r"/system/info"),
    Operation("GET", _ROOT + r"/finance/agreements"),
    Operation("GET", _ROOT + r"/finance/agreements/\d+"),
    Operation("GET", _ROOT + r"/finance/agreements/\d+/additions"),
    Operation("GET", _ROOT + r"/finance/agreementrecap/"),
    Operation("GET", _ROOT + r"/finance/billingCycles"),
)
WRITES = (
    Operation("PATCH", _ROOT + r"/finance/agreements/\d+/additions/\d+"),
    Operation("POST", _ROOT + r"/finance/agreements/\d+/additions"),
)
# Forward-only paging: `pageId` is the last id read. Stable while others write (Developer Guide).
FORWARD = LastId("pageId", "pageSize", 1000, {"pagination-type": "forward-only"})
_TIMEOUT_TEXT = re.compile(r"time ?-?out|try again", re.IGNORECASE)


class Api:
    """One connection with one key pair. To be used inside `async with api.open()`."""

    def __init__(
        self, name: str, settings: Settings, base: Path, *, may_write: bool = False
    ) -> None:
        """`base` is the mapping's folder; `may_write` takes the second key pair, if there is one,
        and lets the declared writes through the wall."""
        self._name, self._settings, self._base, self._may_write = name, settings, base, may_write
        self._codebase = settings.codebase or ""
        self._asking = asyncio.Lock()
        self.client = Client(
            name,
            settings.url,
            READS,
            writes=WRITES if may_write else (),
            auth=self._auth,
            headers={"Accept": f"application/vnd.connectwise.com+json; version={settings.version}"},
            limits=Limits(at_once=settings.at_once, requests=settings.requests_per_minute),
            transient=is_timeout,
        )
        self._company = ""

    @property
    def has_own_keys(self) -> bool:
        """Whether a second key pair is named for writing."""
        return self._settings.write_credentials is not None

    def company(self) -> str:
        """The login company. A recording holds no keys, and this is one: it stands there masked.

        Raises InputError where it is missing.
        """
        if cassette.replaying():
            return cassette.MASKED
        if not self._company:
            self._company = fetch_name(
                self._settings.credentials.company, self._base, f"psa.{self._name}: company"
            ).strip()
            if not re.fullmatch(r"[\w.-]+", self._company, re.ASCII):
                summary = f"psa.{self._name}: company holds a character that no login company has"
                raise InputError([Problem("company-unknown", None, summary)])
            cassette.hide(self._company, _COMPANY)
        return self._company

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Raises InputError where a secret is missing."""
        self._asking = asyncio.Lock()  # of this event loop
        async with self.client.open():
            yield

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return await self._at_codebase(lambda root: self.client.get(root + path, params))

    async def rows(
        self,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str] | None = None,
        id_of: Callable[[T], str],
        what: str = "pages",
    ) -> list[T]:
        return await self._at_codebase(
            lambda root: self.client.rows(
                root + path, kind, FORWARD, params=params, id_of=id_of, what=what
            )
        )

    async def write(self, method: str, path: str, body: object) -> Answer:
        """Sent once. A 404 is no reason to ask for the codebase: the reads before it had it."""
        return await self.client.write(method, await self._root() + path, body)

    async def _at_codebase(self, call: Callable[[str], Awaitable[T]]) -> T:
        """After a cloud upgrade every call answers 404 until the codebase is asked for again."""
        root = await self._root()
        try:
            return await call(root)
        except NotFound:
            async with self._asking:
                if not self._settings.codebase and await self._ask_codebase():
                    root = await self._root_known()
                    return await call(root)
            raise

    async def _root(self) -> str:
        async with self._asking:
            if not self._codebase:
                await self._ask_codebase()
        return await self._root_known()

    async def _root_known(self) -> str:
        return f"/{self._codebase}apis/3.0"

    async def _ask_codebase(self) -> bool:
        """Whether it is another one than before. Raises InputError for an unknown company."""
        answer = await self.client.get(f"{_COMPANY}{self.company()}")
        info = answer.decode(CompanyInfo | None)  # type: ignore[arg-type]
        if info is None or not re.fullmatch(r"\w[\w.-]*/", info.Codebase, re.ASCII):
            summary = f"psa.{self._name}: ConnectWise knows no company of this name here"
            fix = "check `company` under credentials, and the region in `url`"
            raise InputError([Problem("company-unknown", None, summary, fix)])
        before, self._codebase = self._codebase, info.Codebase
        return self._codebase != before

    def _auth(self) -> StaticHeaders:
        keys = self._settings.credentials
        pair = (self._may_write and self._settings.write_credentials) or keys

        public, private, client_id = self._fetch(
            {
                "public_key": pair.public_key,
                "private_key": pair.private_key,
                "client_id": keys.client_id,
            }
        )
        return basic(f"{self.company()}+{public}", private, {"clientId": client_id})

    def _fetch(self, references: Mapping[str, str]) -> list[str]:
        return fetch_all(references, self._base, f"psa.{self._name}")


def is_timeout(error: HttpError) -> bool:
    """A 500 is worth another attempt only where its text speaks of a timeout; 502 to 504 are."""
    if isinstance(error, ServerFailed) and error.status == 500:
        return _TIMEOUT_TEXT.search(error.said) is not None
    return True
