"""A process that carries a migration out, for tests to kill: its job comes on stdin, how it ended goes to stdout."""

import os
import sys
import threading
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from maquette.errors import MaquetteError
from maquette.migrating.models import Options
from maquette.migrating.service import Migrations
from tests.migrating import rig
from tests.migrating.rig import QUICK


class Job(BaseModel):
    """What to do on which database."""

    url: str
    home: Path
    action: Literal["run", "roll_back", "contract"]
    options: Options = QUICK


def carry_out(job: Job) -> str:
    """Begin and run to the soak, go back, or contract; the status at the end, or the error's kind and code."""
    use = Migrations(job.url, rig.Notes(), home=job.home)
    try:
        if job.action == "run":
            with use.begin(use.plan(job.options).hash, job.options) as work:
                return use.run_to_end(work).status.value
        if job.action == "roll_back":
            return use.roll_back().status.value
        return use.contract(use.contract_plan().hash).status.value
    except MaquetteError as error:
        return f"{type(error).__name__} {error.code}"


def main() -> None:
    """Do the job; end at once when the parent is gone, which closes our stdin."""
    job = Job.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(carry_out(job) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
