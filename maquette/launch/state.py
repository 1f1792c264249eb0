"""What a running stack tells other processes of its home, in ``stack.json``."""

import os
from pathlib import Path

import psutil
from pydantic import BaseModel


class StackState(BaseModel):
    """What a running stack tells other processes of its home, in ``stack.json``."""

    pid: int
    api_url: str
    prefect_url: str
    database_url: str
    children: dict[str, int] = {}

    @property
    def run_page(self) -> str:
        """Address of a flow run's page, without the id."""
        return f"{self.prefect_url}/runs/flow-run/"


def write_state(home: Path, state: StackState) -> None:
    """Replace ``stack.json`` at one stroke; it holds the database's URL, so only its owner may read it."""
    path = home / "stack.json"
    made = path.with_suffix(".tmp")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(state.model_dump_json(indent=2))
    made.replace(path)


def read_state(home: Path) -> StackState | None:
    """The stack that runs on ``home``; ``None`` when none does."""
    try:
        state = StackState.model_validate_json((home.expanduser().absolute() / "stack.json").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return state if psutil.pid_exists(state.pid) else None
