"""The process that a rehearsal kills: carries a migration out on a scratch database, and ends with its parent."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from maquette.errors import MaquetteError
from maquette.migrating.models import Options, Phase, RunStatus

PHASES: Final = (Phase.EXPAND, Phase.DEDUPLICATE, Phase.UNIQUE, Phase.BACKFILL, Phase.VALIDATE, Phase.CUT_OVER)


class Job(BaseModel):
    """What the parent writes on stdin: with the password, so neither arguments nor environment would do."""

    url: str
    migration: str
    folder: Path
    """Where the migration's file is."""
    run_folder: Path
    options: Options
    resume: bool


class Outcome(BaseModel):
    """What the child writes on stdout."""

    status: RunStatus | None = None
    error: str | None = None
    code: str = "internal"


def carry_out(job: Job) -> Outcome:
    """All phases up to the last cohort."""
    from maquette.migrating import definition, engine
    from maquette.migrating.work import begin, resume

    migration = definition.load(job.migration, job.folder)
    held = (
        resume(job.url, migration)
        if job.resume
        else begin(job.url, migration, plan_hash="rehearsal", options=job.options, folder=job.run_folder)
    )
    with held as work:
        for phase in PHASES:
            engine.carry_out(work, phase)
        return Outcome(status=work.run.status, error=work.run.error)


def end_with_parent() -> None:
    """The parent never closes our stdin while it lives."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Read the job, do it, tell how it ended."""
    job = Job.model_validate_json(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        outcome = carry_out(job)
    except MaquetteError as error:
        outcome = Outcome(error=str(error), code=error.code)
    except Exception as error:
        outcome = Outcome(error=f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(outcome.model_dump(mode="json")) + "\n")
    sys.stdout.flush()
    os._exit(0)  # not held up by the thread that reads stdin


if __name__ == "__main__":
    main()
