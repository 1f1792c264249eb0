"""Rules of brand kits."""

import re
from typing import Any

_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def clean_hex(value: str) -> str:
    """``#RGB``, ``rrggbb`` and the like as ``#rrggbb``. Raises ``ValueError``."""
    match = _HEX.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is no colour: write it as #rrggbb")
    digits = match[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def font_names(value: Any) -> Any:
    """Fonts under today's names: ``heading`` and ``body`` of older kits are ``primary`` and ``secondary``."""
    if not isinstance(value, dict):
        return value or {}
    names = {"heading": "primary", "body": "secondary"}
    found = {names.get(key, key): name for key, name in value.items() if name}
    return {key: found[key] for key in ("primary", "secondary") if key in found}


def words_of(value: Any) -> Any:
    """A list of words; a comma-separated text is one too, empty words are none."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list):
        return [word.strip() if isinstance(word, str) else word for word in value if word]
    return value or []
