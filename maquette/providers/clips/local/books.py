"""The local provider's books, and the times of a clip's words."""

import json
from pathlib import Path

from maquette.providers import books
from maquette.providers.books import write_atomically
from maquette.providers.clips.port import ClipRequest, SpokenWord


class Submission(books.Entry):
    """One line of ``submissions.jsonl``."""

    seconds: int


class Operation(books.Accepted):
    """One accepted order."""

    request: ClipRequest


class Books(books.Books[Submission, Operation]):
    """The books of clips below ``root``."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, line=Submission, order=Operation)


def save_words(path: Path, words: list[SpokenWord]) -> None:
    """Write the times of a clip's words."""
    write_atomically(path, json.dumps([word.model_dump() for word in words]).encode())


def load_words(path: Path) -> list[SpokenWord]:
    """Read them again; none where none were written."""
    try:
        return [SpokenWord.model_validate(word) for word in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
