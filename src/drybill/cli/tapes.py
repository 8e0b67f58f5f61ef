"""--record and --replay: a run whose answers are kept, and the same run from what was kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drybill.flow.dry_run import DryRun
    from drybill.flow.run import Past, Request
    from drybill.mapping.load import Mapping


@dataclass(frozen=True, slots=True)
class Tapes:
    record: Path | None
    replay: Path | None

    def run(
        self,
        one_run: Callable[[Request, Past | None], DryRun],
        request: Request,
        mapping: Mapping,
    ) -> tuple[DryRun, Request]:
        """The run, and what it was asked for. Raises InputError for a file that is no recording."""
        from drybill.cli.progress import shown

        if self.record is None and self.replay is None:
            with shown():
                return one_run(request, None), request
        from drybill.cli.screen import talk
        from drybill.flow.recording import asked, facts_of, from_facts
        from drybill.transport import cassette

        if self.replay is not None:
            with cassette.replay(self.replay) as told:
                request, past = from_facts(told, mapping)
                run = one_run(request, past)
                if told.get("plan_digest") not in (None, run.digest):
                    summary = f"the recorded run had the plan {str(told['plan_digest'])[:8]}"
                    summary += f", and this one has {run.digest[:8]}"
                    fix = "another version of drybill, or an edited file, counts otherwise"
                    talk(f"warning: {summary}: {fix}")
                return run, request
        facts: dict[str, Any] = asked(request, mapping)  # where a run fails, that is all
        assert self.record is not None
        with shown(), cassette.record(self.record, facts):
            run = one_run(request, None)
            facts |= facts_of(run, request, mapping)
        return run, request
