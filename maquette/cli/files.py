"""Files that commands read and write for the person."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from maquette.errors import InvalidInput, StorageError


def read_text(file: BinaryIO) -> str:
    """All of ``file``. Raises ``InvalidInput`` for what is no UTF-8."""
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is no UTF-8 text: save it as UTF-8") from error


def read_json(file: BinaryIO) -> object:
    """The JSON document in ``file``. Raises ``InvalidInput``."""
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file.name} holds no sound JSON ({error})") from error


def save(source: Path, output: Path, *, name: str) -> Path:
    """Copy ``source`` to ``output``, under ``name`` where that is a folder; at one stroke. The path that was written.

    Raises ``StorageError``.
    """
    target = output / name if output.is_dir() else output
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, made)
        made.replace(target)
    except OSError as error:
        with suppress(OSError):
            made.unlink()
        raise StorageError(f"{target} could not be written ({error.strerror}): give another --output") from error
    return target
