"""How a client's words travel to a model: as data, between tags."""

import json
from collections.abc import Mapping


def brief(document: Mapping[str, object]) -> str:
    """The message that holds ``document``, without its empty fields, as JSON between tags.

    ``<`` is escaped within, so that no text of the client's can close the tags.
    """
    told = json.dumps({name: value for name, value in document.items() if value}, ensure_ascii=False, indent=1)
    return "<brief>\n" + told.replace("<", r"\u003c") + "\n</brief>"
