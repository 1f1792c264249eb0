"""The prompts of drafts by theme: a file of the home, else the one that comes along."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.drafts.prompts_file import KINDS, Kind, PromptsFile, Texts, parse_prompts, theme_key
from maquette.drafts.templates import VARIABLES as VARIABLES
from maquette.drafts.templates import fill as fill
from maquette.drafts.templates import require_known as require_known
from maquette.errors import ConfigurationError, InvalidInput, StorageError
from maquette.settings import Settings

PACKAGED: Final = Path(__file__).with_name("prompts_defaults.yaml")
# As the existing clients say it of a theme that nobody has described.
_DESCRIPTION: Final = "univers magique {theme}"


class Prompts(BaseModel):
    """Templates by theme. A theme is found whatever its case, accents, spaces, ``_`` or ``-``."""

    model_config = ConfigDict(frozen=True)

    themes: dict[str, Texts] = Field({}, description="What themes say themselves, by ``theme_key``.")
    defaults: dict[Kind, str] = Field(description="What holds for all others, of each kind.")
    described: str = Field(_DESCRIPTION, description="Template of a theme's description where it has none.")
    music_model: str | None = None

    def image(self, theme: str) -> str:
        """The template of pictures."""
        return self._of(theme, "images")

    def video(self, theme: str) -> str:
        """The template of loops."""
        return self._of(theme, "videos")

    def objects(self, theme: str) -> str:
        """What a writer is told about the kind of things that are wanted."""
        return self._of(theme, "objects")

    def music(self, theme: str) -> str:
        """The template of a song's style."""
        return self._of(theme, "music")

    def description(self, theme: str) -> str:
        """What the theme looks like, in words; ``univers magique …`` where nobody said."""
        template = self.themes.get(theme_key(theme), {}).get("description", self.described)
        return fill(template, concept=theme, theme=theme, description="")

    def _of(self, theme: str, kind: Kind) -> str:
        return self.themes.get(theme_key(theme), {}).get(kind, self.defaults[kind])


def load_prompts(path: Path | None) -> Prompts:
    """The prompts of a file, else of the one that comes along.

    What a theme lacks comes from ``defaults``, then ``generic``, then what the first files had instead
    (``words.base``, ``video_motion``, ``music.prompt``, ``base``), and at last from the packaged ``generic``.

    Raises ``ConfigurationError``, which names the file, and each mistake with its line and what to do.
    """
    packaged = _read(PACKAGED)
    found = packaged if path is None else _read(path)
    older: dict[str, str | None] = {
        "images": found.words.get("base") or found.base.get("image"),
        "videos": found.video_motion or found.base.get("video"),
        "music": found.music.get("prompt") or found.base.get("music"),
    }
    return Prompts(
        themes=found.themes,
        defaults={
            kind: found.defaults.get(kind) or found.generic.get(kind) or older.get(kind) or packaged.generic[kind]
            for kind in KINDS
        },
        described=found.base.get("description", _DESCRIPTION),
        music_model=found.music.get("model"),
    )


def save_defaults(path: Path, changes: Mapping[str, str]) -> Prompts:
    """Set ``defaults`` of the file by kind: ``objects``, ``images``, ``videos``, ``music``; the prompts as they become.

    All other entries stay as they are; where there is no file, they are those that come along. The file is replaced
    at one stroke. Its comments are lost, and what an anchor shared is written out.

    Raises ``InvalidInput`` for other kinds, empty texts and templates that cannot be filled, ``ConfigurationError``
    for a file that has mistakes already, ``StorageError``.
    """
    for kind, template in changes.items():
        if kind not in KINDS:
            raise InvalidInput(f"there is no default prompt “{kind}”: choose among {', '.join(KINDS)}")
        if not template.strip():
            raise InvalidInput(f"the default prompt of {kind} is empty: write it, or leave it out")
        require_known(template)
    source = path if path.exists() else PACKAGED
    _read(source)  # what is broken is told, not written over
    # All is text here, and a theme called "no" stays one.
    document: dict[str, Any] = yaml.load(source.read_text("utf-8-sig"), Loader=yaml.CBaseLoader)
    document["defaults"] = {**document.get("defaults", {}), **changes}
    _replace(path, yaml.dump(document, Dumper=_Written, allow_unicode=True, sort_keys=False, width=120))
    return load_prompts(path)


class _Written(yaml.SafeDumper):
    """Writes every entry out, so that each can be changed without its twins."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _read(path: Path) -> PromptsFile:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: this is not UTF-8: save the file as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(
            f"the prompts of {path} cannot be read ({error.strerror}): point MAQUETTE_PROMPTS_FILE at a file that can, "
            "or leave it unset"
        ) from error
    return parse_prompts(text, str(path))


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written ({error.strerror}): free its place") from error


def prompts_of(settings: Settings) -> Prompts:
    """The prompts of the settings' file, else of the home's, else those that come along. Raises as it is read."""
    home = settings.home.expanduser() / "storage" / "prompts_defaults.yaml"
    return load_prompts(settings.prompts_file or (home if home.exists() else None))
