"""A file of prompts as people write it: checked as a whole, every mistake told with its line."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from slugify import slugify
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import Reader

from maquette.drafts.templates import THEME_VARIABLES, VARIABLES, faults_in
from maquette.errors import ConfigurationError

Kind = Literal["objects", "images", "videos", "music"]
KINDS: Final[tuple[Kind, ...]] = ("objects", "images", "videos", "music")

_THEME_KEYS: Final = ("description", *KINDS)
_BASE_KEYS: Final = ("description", "image", "music", "video")
_KEYS: Final = ("music", "words", "video_motion", "generic", "defaults", "base", "themes")
_IN_QUOTES: Final = "put texts that hold “: ” or “ #”, or begin with a brace, in quotation marks"

Texts = dict[str, str]


class PromptsFile(BaseModel):
    """What a file says. All texts are templates, but for the model's name."""

    model_config = ConfigDict(frozen=True)

    music: Texts = Field({}, description="``model``; ``prompt`` in the first files.")
    words: Texts = Field({}, description="``base``, the picture's template in the first files.")
    video_motion: str | None = None
    generic: Texts = Field({}, description="By kind, for themes without their own: all kinds or none.")
    defaults: Texts = Field({}, description="By kind, set through the API.")
    base: Texts = Field({}, description="``description``, ``image``, ``music`` and ``video`` of the oldest files.")
    themes: dict[str, Texts] = Field({}, description="By ``theme_key``; ``description`` and kinds.")


def theme_key(theme: str) -> str:
    """What all ways to write a theme have in common: no case, accents, spaces, ``_`` or ``-``."""
    return slugify(theme, separator="")


@lru_cache(maxsize=8)
def parse_prompts(text: str, name: str) -> PromptsFile:
    """The file called ``name``. Raises ``ConfigurationError``, which lists every mistake with its line."""
    reader = _Reader()
    if unseen := Reader.NON_PRINTABLE.search(text):
        reader.tell(
            text.count("\n", 0, unseen.start()) + 1, f"YAML knows no character U+{ord(unseen[0]):04X}: remove it"
        )
        raise reader.error(name)
    try:
        # Not the loader in C: it dies of thousands of brackets.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reader.tell(mark.line + 1 if mark else 1, f"this is not YAML ({error.problem or error.context}): {_IN_QUOTES}")
    except RecursionError:
        reader.tell(1, "this is nested too deep: a file of prompts has two levels below its own")
    else:
        found = reader.file(root)
        if not reader.problems:
            return found
    raise reader.error(name)


class _Reader:
    """One pass over a file's nodes; mistakes gather in ``problems``."""

    def __init__(self) -> None:
        # Ordered by line in the end; an alias shows the same mistake twice.
        self.problems: set[tuple[int, str]] = set()

    def tell(self, line: int, message: str) -> None:
        self.problems.add((line, message))

    def error(self, name: str) -> ConfigurationError:
        """All mistakes, by line."""
        told = [f"{name}, line {line}: {message}" for line, message in sorted(self.problems)]
        return ConfigurationError("\n".join([f"the prompts of {name} cannot be used. Mend what follows:", *told]))

    def file(self, root: Node | None) -> PromptsFile:
        if root is None:
            self.tell(1, f"the file is empty: write at least one of {', '.join(_KEYS)}, or remove the file")
            return PromptsFile()
        nodes = self._members(root, "the file", _KEYS)
        generic = self._section(nodes, "generic", KINDS)
        said = self._members(nodes["generic"], "generic", KINDS) if "generic" in nodes else dict.fromkeys(KINDS)
        if lacking := [kind for kind in KINDS if kind not in said]:
            self.tell(
                _line(nodes["generic"]),
                f"generic: it lacks {', '.join(lacking)}: add them, or leave generic out to have those that come along",
            )
        motion = nodes.get("video_motion")
        return PromptsFile(
            music=self._section(nodes, "music", ("model", "prompt")),
            words=self._section(nodes, "words", ("base",)),
            video_motion=self._template(motion, "video_motion") if motion else None,
            generic=generic,
            defaults=self._section(nodes, "defaults", KINDS),
            base=self._section(nodes, "base", _BASE_KEYS),
            themes=self._themes(nodes["themes"]) if "themes" in nodes else {},
        )

    def _themes(self, node: Node) -> dict[str, Texts]:
        themes: dict[str, Texts] = {}
        written: dict[str, str] = {}
        for name, value in self._members(node, "themes", None).items():
            where, key = f"themes.{name}", theme_key(name)
            if isinstance(value, ScalarNode):
                text = self._template(value, where, known=THEME_VARIABLES)
                texts = {"description": text} if text else {}
            else:
                texts = self._texts(value, where, _THEME_KEYS)
            if not key:
                self.tell(_line(value), f"{where}: the theme's name has no letters: give it another one")
            elif key in themes:
                self.tell(_line(value), f"{where}: the theme is there already as “{written[key]}”: keep one of them")
            themes.setdefault(key, texts)
            written.setdefault(key, name)
        return themes

    def _section(self, nodes: dict[str, Node], name: str, known: Collection[str]) -> Texts:
        return self._texts(nodes[name], name, known) if name in nodes else {}

    def _texts(self, node: Node, where: str, known: Collection[str]) -> Texts:
        texts: Texts = {}
        for name, value in self._members(node, where, known).items():
            variables = THEME_VARIABLES if name == "description" else () if name == "model" else VARIABLES
            if (text := self._template(value, f"{where}.{name}", known=variables)) is not None:
                texts[name] = text
        return texts

    def _members(self, node: Node, where: str, known: Iterable[str] | None) -> dict[str, Node]:
        """The values of a mapping by name, the first where one stands twice."""
        if not isinstance(node, MappingNode):
            what = f"its own lines with {', '.join(known)}" if known else "a line for each theme"
            self.tell(_line(node), f"{where}: this is {_what(node)}: give it {what}")
            return {}
        members: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.tell(_line(key), f"{where}: a name belongs here, not {_what(key)}: {_IN_QUOTES}")
                continue
            name = key.value
            if name in lines:
                self.tell(
                    _line(key), f"{where}: “{name}” is there already on line {lines[name]}: keep one, or rename it"
                )
            elif known is not None and name not in known:
                self.tell(_line(key), f"{where}: unknown key “{name}”: {_nearest(name, known)}")
            else:
                members[name] = value
            lines.setdefault(name, _line(key))
        return members

    def _template(self, node: Node, where: str, *, known: Collection[str] = VARIABLES) -> str | None:
        if not isinstance(node, ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.tell(_line(node), f"{where}: this is {_what(node)}, not a text: put it in quotation marks")
            return None
        text: str = node.value.strip()
        if not text:
            self.tell(_line(node), f"{where}: the text is empty: write it, or remove the line")
            return None
        for fault in faults_in(text, known=known) if known else ():
            self.tell(_line(node), f"{where}: {fault}")
        return text


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(name.lower(), known, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"Known are {', '.join(known)}"


_WHATS: Final[dict[str, str]] = {
    "str": "a text", "null": "nothing", "bool": "yes or no", "int": "a number", "float": "a number",
    "timestamp": "a date", "seq": "a list", "map": "a group of names",
}  # fmt: skip


def _what(node: Node) -> str:
    return _WHATS.get(str(node.tag).rpartition(":")[2], f"a value of type {node.tag}")
