"""What is wrong with a body or a parameter, as a text for people: the field, and what it may be."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from maquette.api.texts import say
from maquette.videos.models import BlockEdit, VideoBrief

_EXPECTED: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_type": "text",
    "string_unicode": "text",
    "int_type": "whole",
    "int_parsing": "whole",
    "int_parsing_size": "whole",
    "int_from_float": "whole",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "truth",
    "bool_parsing": "truth",
    "uuid_type": "uuid",
    "uuid_parsing": "uuid",
}
_FIELDS: Final = BlockEdit.model_fields | VideoBrief.model_fields
_SHOWN = 5


def describe(found: Sequence[Mapping[str, Any]], language: str) -> str:
    """pydantic's errors as a text that names each field and what it may be."""
    reasons = dict.fromkeys(_describe_one(each, language) for each in found)
    return " ; ".join(list(reasons)[:_SHOWN])


def _describe_one(error: Mapping[str, Any], language: str) -> str:
    kind, place = error["type"], error["loc"]
    if kind == "json_invalid":
        return say("not_json", language, position=place[-1])
    if place == ("body",):
        return say("not_object", language)
    field = ".".join(str(part) for part in place[1:])
    return say(
        "field", language, field=field[:100], reason=_reason(kind, str(place[-1]), error.get("ctx", {}), language)
    )


def _reason(kind: str, field: str, context: Mapping[str, Any], language: str) -> str:
    if kind in ("literal_error", "enum"):
        return say("choice", language, choices=", ".join(re.findall(r"'([^']*)'", context["expected"])))
    limits = _limits(field) | {
        name: context[name] for name in ("ge", "le", "min_length", "max_length") if name in context
    }
    if kind in ("greater_than_equal", "less_than_equal"):
        return _between(limits.get("ge"), limits.get("le"), language)
    if kind in ("string_too_short", "string_too_long"):
        return say(
            "characters", language, limits=_between(limits.get("min_length"), limits.get("max_length"), language)
        )
    return say(_EXPECTED.get(kind, "invalid"), language)


def _limits(field: str) -> dict[str, Any]:
    # pydantic names only the limit that was broken; the other one helps as well.
    known = _FIELDS[field].metadata if field in _FIELDS else []
    names = ("ge", "le", "min_length", "max_length")
    return {name: getattr(rule, name) for rule in known for name in names if hasattr(rule, name)}


def _between(low: object, high: object, language: str) -> str:
    if low is None:
        return say("at_most", language, high=high)
    if high is None:
        return say("at_least", language, low=low)
    return say("between", language, low=low, high=high)
