"""Questions that commands ask before what cannot be taken back."""

import sys

from maquette.cli.output import Interrupted
from maquette.errors import InvalidInput


def require_yes(question: str, *, unless: str) -> None:
    """Ask on stderr. Raises ``Interrupted`` for anything but a yes, ``InvalidInput`` where nobody is there to answer.

    ``unless`` is the option that makes the question needless.
    """
    if not sys.stdin.isatty():
        raise InvalidInput(f"nobody is there to answer {question!r}: give {unless}")
    # Not as typer asks: it writes a space to stdout, which is for the document.
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Interrupted("not confirmed; nothing was changed")
