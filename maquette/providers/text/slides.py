"""The forms in which models and clients write the slides of a carousel, read as one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from maquette.providers.text.figures import figures_of

TYPES: Final = ("hero", "problem", "solution", "impact", "content", "citation", "cta")
TEXTS: Final = ("title", "subtitle", "body", "cta", "badge", "note", "author", "visual", "alt", "caption")
MAX_READ: Final = 40
MAX_DEPTH: Final = 5

# Today's names, each with those of older plans and of models that answer in their own words; in the order in which
# they count. Compared without case, spaces, hyphens and underscores.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "type": ("type", "slidetype", "role", "kind"),
    "title": ("title", "titleonimage", "headline", "heading", "titre", "titulo", "título", "quote", "citation", "cita"),
    "subtitle": ("subtitle", "punchline", "subheadline", "subheading", "soustitre", "subtitulo", "subtítulo"),
    "body": ("body", "textonimage", "text", "content", "description", "texte", "texto", "corps", "cuerpo"),
    "bullets": ("bullets", "bulletpoints", "points", "items", "list", "puces", "puntos"),
    "cta": ("cta", "ctaprimary", "calltoaction", "button", "ctatext", "bouton", "ctasecondary"),
    "badge": ("badge", "eyebrow", "tag", "label", "kicker"),
    "note": ("note", "footnote", "disclaimer", "ctasecondary", "nota"),
    "author": ("author", "auteur", "autor", "source"),
    "kpis": ("kpis", "kpi", "metrics", "stats", "figures", "chiffres", "cifras"),
    "visual": ("visual", "imageprompt", "visualprompt", "visualdescription", "prompt", "image", "visuel", "background"),
    "alt": ("alt", "alttext"),
    "caption": ("caption", "legende", "légende", "postcaption", "leyenda"),
    "number": ("slidenumber", "number", "numero", "numéro", "número"),
}
_HOLDERS: Final = ("slides", "plan", "carousel", "pages", "data", "result", "output", "diapositives", "diapositivas")
_TYPE_NAMES: Final = {"cover": "hero", "intro": "hero", "quote": "citation", "end": "cta", "calltoaction": "cta"}


def read_slides(document: object) -> list[dict[str, Any]]:
    """Each slide's fields under today's names; only those that hold something, so that a slide may be empty.

    Texts are text, ``bullets`` a list of texts, ``kpis`` of ``{"label", "delta"}``, ``number`` (from 1) an integer,
    ``type`` one of ``TYPES``. Reads ``{"slides": []}``, also within other objects, a list, one slide alone, and
    ``{"text": {"title", "body", "cta"}}``, whose button belongs to the last slide. ``prompts`` beside the slides
    are their pictures. Any value gives a list, of 40 slides at most.
    """
    listed, prompts = _listed(document, MAX_DEPTH)
    slides = [_slide(item) for item in listed[:MAX_READ]]
    for slide, prompt in zip(slides, prompts, strict=False):
        if visual := _text(prompt):
            slide.setdefault("visual", visual)
    if isinstance(document, Mapping) and isinstance(document.get("text"), Mapping) and len(slides) == 1:
        cta = slides[0].pop("cta", None)
        slides += [{"type": "cta", "cta": cta}] if cta else []
    return _in_order(slides)


def placed(slides: Iterable[dict[str, Any]], *, total: int) -> list[dict[str, Any]]:
    """A slide for each of ``total`` places, empty where none belongs; what finds no place comes behind.

    A slide with a number takes that place, one of type cta the last; the others follow one another.
    """
    places: list[dict[str, Any]] = [{} for _ in range(total)]
    behind: list[dict[str, Any]] = []
    at = 0
    for slide in slides:
        if not slide:
            at += 1
            continue
        if slide.get("type") == "cta" and not places[-1]:
            at = total - 1
        elif "number" in slide:
            at = slide["number"] - 1
        if at < total and not places[at]:
            places[at] = slide
        else:
            behind.append(slide)
        at += 1
    return places + behind


def _listed(document: object, depth: int) -> tuple[list[object], list[object]]:
    """The list of slides within ``document``, and the pictures' prompts that stand beside it."""
    if isinstance(document, list):
        return document, []
    if not isinstance(document, Mapping) or not depth:
        return [], []
    for key, value in document.items():
        if _key(key) in _HOLDERS and isinstance(value, Mapping | list) and value:
            found, prompts = _listed(value, depth - 1)
            beside = document.get("prompts")
            return found, prompts or (beside if isinstance(beside, list) else [])
    return ([document] if _slide(document) else []), []


def _slide(item: object) -> dict[str, Any]:
    if isinstance(item, str):
        return {"title": item} if item.strip() else {}
    if not isinstance(item, Mapping):
        return {}
    known: dict[str, object] = {}
    for key, value in item.items():
        if _key(key) in ("text", "texts", "content") and isinstance(value, Mapping):
            known |= {_key(name): inner for name, inner in value.items()}
        else:
            known.setdefault(_key(key), value)
    slide: dict[str, Any] = {}
    for field, names in _NAMES.items():
        values = [value for name in names if name in known and (value := _value(field, known[name]))]
        # A second button says something of its own where there is a first.
        if values and not (field == "note" and values[0] == slide.get("cta")):
            slide[field] = values[0]
    if isinstance(known.get("body"), list) and "bullets" not in slide:
        slide["bullets"] = _texts(known["body"])
        slide.pop("body", None)
    return slide


def _value(field: str, value: object) -> Any:
    match field:
        case "type":
            name = _key(value) if isinstance(value, str) else ""
            name = _TYPE_NAMES.get(name, name)
            return name if name in TYPES else None
        case "number":
            digits = _text(value)
            return int(digits) if re.fullmatch(r"0*[1-9][0-9]?", digits) else None
        case "bullets":
            return _texts(value)
        case "kpis":
            return _kpis(value)
        case _:
            return _text(value)


def _text(value: object) -> str:
    """``value`` as text; empty for what is none."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, Mapping):
        return next((_text(value[name]) for name in ("text", "value", "label", "title") if name in value), "")
    if isinstance(value, list):
        return " ".join(filter(None, (item.strip() for item in value if isinstance(item, str))))
    return str(value) if isinstance(value, str | int | float) else ""


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else _text(value).splitlines()
    return [text for item in items if (text := _text(item).strip())]


def _kpis(value: object) -> list[dict[str, str]]:
    if isinstance(value, Mapping) and not {"label", "delta", "value"} & {_key(name) for name in value}:
        value = [{"label": label, "delta": delta} for label, delta in value.items()]
    kpis: list[dict[str, str]] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            known = {_key(name): _text(inner) for name, inner in item.items()}
            label = known.get("label") or known.get("name") or known.get("title") or ""
            delta = known.get("delta") or known.get("value") or known.get("figure") or ""
            kpis += [{"label": label, "delta": delta}] if label and delta else []
        else:
            kpis += [{"label": figure.label, "delta": figure.delta} for figure in figures_of(_text(item))[1]]
    return kpis


def _in_order(slides: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slides by their numbers where each has one; numbers that come twice say nothing."""
    numbers = [slide["number"] for slide in slides if "number" in slide]
    if len(set(numbers)) < len(numbers):
        return [{name: value for name, value in slide.items() if name != "number"} for slide in slides]
    return sorted(slides, key=lambda slide: int(slide["number"])) if len(numbers) == len(slides) else slides


def _key(name: object) -> str:
    return re.sub(r"[\s_-]+", "", str(name)).lower()
