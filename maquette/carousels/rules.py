"""Rules of carousels as pure functions: reading a plan, the client's own words, limits, warnings, descriptions.

The limits are data of the text port (``limit_of``), since writers keep to them too: title 10–40, subtitle 120 on the
cover and 60 elsewhere, body 120, three or four points of 44, button 24, badge 24, note 140, caption 300, a citation
120. Where the existing clients disagree, see there. Fallback words and the rules R1–R6 are theirs.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from maquette.carousels.models import CarouselPlan, Kpi, SlidePlan, SlideText, SlideType
from maquette.errors import InvalidInput
from maquette.providers.text.port import LIMITS, MAX_BULLETS, MAX_SLIDES, MIN_BULLETS, MIN_TITLE, CarouselType
from maquette.providers.text.port import limit_of as limit_of
from maquette.providers.text.reading import read_json
from maquette.providers.text.slides import TEXTS, placed, read_slides
from maquette.providers.text.topic import long_enough
from maquette.providers.text.wording import banned_in
from maquette.providers.text.wording import shorten as shorten

# What a client's own words may have, in characters: more than the limits, which for them only warn. 2200 is what
# Instagram takes as a caption.
MAX_CHARACTERS: Final[dict[str, int]] = {
    "title": 160,
    "subtitle": 240,
    "body": 600,
    "bullets": 160,
    "cta": 60,
    "badge": 60,
    "note": 300,
    "author": 120,
    "label": 120,
    "delta": 24,
    "alt": 1000,
    "caption": 2200,
}
MAX_POINTS: Final = 8
DRAWN: Final = ("title", "subtitle", "body", "bullets", "cta", "badge", "note", "author")

_TITLES: Final[dict[str, tuple[str, ...]]] = {
    "fr": (
        "Le problème", "La solution", "Les avantages", "Comment ça marche", "Ce qui change",
        "Par où commencer", "Les bons réflexes", "À ne pas oublier",
    ),
    "en": (
        "The problem", "The solution", "The benefits", "How it works", "What changes",
        "Where to start", "Good habits", "What to keep in mind",
    ),
    "es": (
        "El problema", "La solución", "Las ventajas", "Cómo funciona", "Lo que cambia",
        "Por dónde empezar", "Los buenos hábitos", "Lo que no hay que olvidar",
    ),
}  # fmt: skip
_ENDS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "fr": {"hero": ("À découvrir", "Découvrir"), "cta": ("Et maintenant ?", "En savoir plus")},
    "en": {"hero": ("Worth a look", "Discover"), "cta": ("What comes next?", "Learn More")},
    "es": {"hero": ("Para descubrir", "Descubrir"), "cta": ("¿Y ahora qué?", "Saber más")},
}
_SAYS: Final[dict[str, str]] = {"fr": "Texte : « {title} »", "en": "Text: “{title}”", "es": "Texto: «{title}»"}
_SHOWS: Final[dict[str, str]] = {
    "fr": "Illustration épurée sur le thème « {title} »",
    "en": "Uncluttered illustration on the theme “{title}”",
    "es": "Ilustración despejada sobre el tema «{title}»",
}
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "fr": {
        "title": "titre", "subtitle": "sous-titre", "body": "texte", "bullets": "points", "cta": "bouton",
        "badge": "étiquette", "note": "note", "author": "auteur", "caption": "légende", "kpis": "chiffres",
        "alt": "description",
    },
    "en": {
        "title": "title", "subtitle": "subtitle", "body": "body", "bullets": "points", "cta": "button",
        "badge": "badge", "note": "note", "author": "author", "caption": "caption", "kpis": "figures",
        "alt": "description",
    },
    "es": {
        "title": "título", "subtitle": "subtítulo", "body": "texto", "bullets": "puntos", "cta": "botón",
        "badge": "etiqueta", "note": "nota", "author": "autor", "caption": "leyenda", "kpis": "cifras",
        "alt": "descripción",
    },
}  # fmt: skip
_WARNINGS: Final[dict[str, dict[str, str]]] = {
    "fr": {
        "where": "{rule}, slide {number}, {field} : {what}",
        "R1": "la même promesse que slide {other}",
        "R2": "le même bouton que slide 1",
        "R3": "mot interdit par la marque « {word} »",
        "R4": "évitez « !! » et les mots tout en majuscules",
        "R5": "« {delta} » n'a pas d'unité (%, pts ou ×)",
        "long": "{length} caractères, {limit} au plus",
        "short": "{length} caractères, {limit} au moins",
        "points": "{length} points, de 3 à 4 attendus",
    },
    "en": {
        "where": "{rule}, slide {number}, {field}: {what}",
        "R1": "the same promise as on slide {other}",
        "R2": "the same button as on slide 1",
        "R3": "the brand bans the word “{word}”",
        "R4": "avoid “!!” and words all in capitals",
        "R5": "“{delta}” has no unit (%, pts or ×)",
        "long": "{length} characters, {limit} at most",
        "short": "{length} characters, {limit} at least",
        "points": "{length} points, 3 to 4 expected",
    },
    "es": {
        "where": "{rule}, diapositiva {number}, {field}: {what}",
        "R1": "la misma promesa que en la diapositiva {other}",
        "R2": "el mismo botón que en la diapositiva 1",
        "R3": "la marca prohíbe la palabra «{word}»",
        "R4": "evita «!!» y las palabras en mayúsculas",
        "R5": "«{delta}» no tiene unidad (%, pts o ×)",
        "long": "{length} caracteres, {limit} como máximo",
        "short": "{length} caracteres, {limit} como mínimo",
        "points": "{length} puntos, se esperan de 3 a 4",
    },
}

# Zero-width characters and those that reorder the text around them. Joiners and marks stay: Persian, Hebrew
# and emoji are spelled with them.
_UNSEEN: Final = re.compile("[\u00ad\u180e\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]")
_SPACES: Final = re.compile(r"[ \t\n\r\v\f\x1c-\x1f\x85\u2028\u2029]+")
_BULLET: Final = re.compile(r"^(?:[•·▪◦‣*]\s*|[-–—]\s+)+")
_TAGS_AT_END: Final = re.compile(r"(?:(?<=[.!?…])|(?<=\s))\s*(?:#[^\W\d_]\w*\s*){2,}$|(?<=[.!?…])\s+#[^\W\d_]\w*\s*$")
_TAG: Final = re.compile(r"(?<!\w)#+(?=[^\W\d_])")
_SHOUTED: Final = re.compile(r"[^\W\d_]{5,}")
_UNIT: Final = re.compile(r"\d\s*(?:%|pts?\b|×|x\b)|[×x]\s*\d", re.IGNORECASE)


def parse_plan(text: str, *, slides: int, language: str, carousel_type: CarouselType | None = None) -> CarouselPlan:
    """The plan that a writer's answer holds, of exactly ``slides`` slides. Reads any text, raises never.

    Fields under older names count, hash marks of words on the picture go, and what is too long is shortened. The
    first slide is a cover and the last calls to act, each with a button; those between are mistakes and remedies by
    turns where the writer did not type them so, or plain content where it said so, or figures where it gave some.
    Too few slides are filled up with ``_TITLES``, of too many the middle ones go. A citation carousel (by default
    one whose every slide is typed so) has nothing but citations and their authors.

    ``meta["found"]`` is how many slides the text itself held: with too few, ask again with a warning.
    """
    found = [_cleaned(slide) for slide in read_slides(read_json(text))]
    found = [slide for slide in found if slide]
    if carousel_type is None:
        cited = found and all(slide.get("type") == "citation" for slide in found)
        carousel_type = "citation" if cited else "content"
    language = language if language in _TITLES else "fr"
    chosen = _counted(found, slides, ends=carousel_type == "content")
    if carousel_type == "citation":
        chosen = [_only(slide, "title", "author", "visual", "alt", "caption") for slide in chosen]
        types: list[SlideType] = ["citation"] * slides
    else:
        types = ["hero", *_turns(chosen[1:-1]), "cta"]
    spare = iter(_spare_titles(chosen, language))
    plans = []
    for number, (slide, slide_type) in enumerate(zip(chosen, types, strict=True), start=1):
        text_of = _texts(slide, slide_type, language, spare)
        visual = slide.get("visual") or _SHOWS[language].format(title=text_of.title)
        text_of.alt = text_of.alt or alt_text(text_of, visual=visual, language=language)
        plans.append(SlidePlan(number=number, text=text_of, visual=visual))
    return CarouselPlan(slides=plans, meta={"found": min(len(found), slides)})


def given_texts(given: object, *, slides: int | None = None) -> list[SlideText]:
    """The client's own texts by slide, from the first on; a slide without any is empty.

    ``given`` is ``{"slides": []}``, ``{"text": {"title", "body", "cta"}}`` (the cover's words and the last slide's
    button), a list, or nothing. Words stay as they are, but for spaces, Unicode's NFC and characters that are not
    seen; ``model_fields_set`` says which there are. Raises ``InvalidInput`` for control characters, for what is no
    such form, and for more texts than ``slides``.
    """
    read = read_slides(given)
    if not any(read):
        if not _says_something(given):
            return []
        raise InvalidInput(
            'the given texts cannot be read: write {"slides": [{"title": …}]}, {"text": {"title", "body", "cta"}} '
            "or a list of slides"
        )
    total = slides or max([len(read), *(slide.get("number", 0) for slide in read)])
    places = placed(read, total=min(total, MAX_SLIDES))
    if len(places) > (slides or MAX_SLIDES):
        raise InvalidInput(
            f"texts are given for more slides than the {slides or MAX_SLIDES} of the carousel: remove some, or order "
            "more slides"
        )
    return [_as_given(slide, number) for number, slide in enumerate(places, start=1)]


def merge_texts(plan: CarouselPlan, given: object) -> CarouselPlan:
    """``plan`` with the client's words instead of its own, field by field. Raises as ``given_texts`` does."""
    texts = given_texts(given, slides=len(plan.slides))
    merged = []
    for slide, text in zip(plan.slides, texts, strict=False):
        told = {name: getattr(text, name) for name in text.model_fields_set}
        # The ends of a plan stay what they are; a description that told the plan's own title tells the client's.
        if slide.text.type in ("hero", "cta"):
            told.pop("type", None)
        if "title" in told and "alt" not in told and slide.text.title:
            told["alt"] = slide.text.alt.replace(slide.text.title, text.title)
        merged.append(slide.model_copy(update={"text": slide.text.model_copy(update=told)}))
    return plan.model_copy(update={"slides": [*merged, *plan.slides[len(merged) :]]})


def require_limits(text: SlideText, *, number: int) -> None:
    """The hard limits of a slide's words. Raises ``InvalidInput`` naming the slide and the field."""
    for field, said in _said(text, (*DRAWN, "alt", "caption", "label", "delta")):
        if len(said) > MAX_CHARACTERS[field]:
            raise InvalidInput(
                f"slide {number}: the {_FIELDS['en'].get(field, field)} has {len(said)} characters: shorten it to "
                f"{MAX_CHARACTERS[field]}, at best {limit_of(field, text.type)}"
            )
    if max(len(text.bullets), len(text.kpis)) > MAX_POINTS:
        raise InvalidInput(f"slide {number} has more than {MAX_POINTS} points: keep {MIN_BULLETS} or {MAX_BULLETS}")


def lint(plan: CarouselPlan, *, banned_words: Iterable[str], language: str) -> list[str]:
    """What an editor would remark, in ``language``: each names its rule, the slide and the field.

    R1 a promise made twice, R2 one button on the cover and at the end, R3 words that the brand bans, R4 "!!" and
    capitals, R5 figures without a unit, R6 lengths.
    """
    language = language if language in _WARNINGS else "fr"
    banned = list(banned_words)
    told: list[str] = []

    def warn(rule: str, slide: SlidePlan, field: str, what: str = "", **values: object) -> None:
        remark = _WARNINGS[language][what or rule].format(**values)
        name = _FIELDS[language][{"label": "kpis", "delta": "kpis"}.get(field, field)]
        told.append(_WARNINGS[language]["where"].format(rule=rule, number=slide.number, field=name, what=remark))

    promised: dict[frozenset[str], int] = {}
    for slide in plan.slides:
        for field, said in _said(slide.text, ("title", "subtitle", "body")):
            promise = frozenset(re.findall(r"\w+", said.casefold())) or frozenset({said})
            if promise in promised:
                warn("R1", slide, field, other=promised[promise])
            promised.setdefault(promise, slide.number)
    first, last = (plan.slides[0], plan.slides[-1]) if plan.slides else (None, None)
    if first and last and first is not last and first.text.cta.casefold() == last.text.cta.casefold() != "":
        warn("R2", last, "cta")
    for slide in plan.slides:
        for field, said in _said(slide.text, (*DRAWN, "caption", "label")):
            for word in banned_in(said, banned):
                warn("R3", slide, field, word=word)
    for slide in plan.slides:
        for field in DRAWN:
            if any(_shouts(said) for _, said in _said(slide.text, (field,))):
                warn("R4", slide, field)
    for slide in plan.slides:
        for kpi in slide.text.kpis:
            if not _UNIT.search(kpi.delta):
                warn("R5", slide, "kpis", delta=kpi.delta)
    for slide in plan.slides:
        for field, said in _said(slide.text, (*DRAWN, "alt", "caption", "label", "delta")):
            if len(said) > limit_of(field, slide.text.type):
                warn("R6", slide, field, "long", length=len(said), limit=limit_of(field, slide.text.type))
        title, points = slide.text.title, slide.text.bullets
        if slide.text.type != "citation" and not long_enough(title):
            warn("R6", slide, "title", "short", length=len(title), limit=MIN_TITLE)
        if points and not MIN_BULLETS <= len(points) <= MAX_BULLETS:
            warn("R6", slide, "bullets", "points", length=len(points))
    return told


def alt_text(text: SlideText, *, visual: str, language: str) -> str:
    """A slide in words for people who do not see it: its picture, then its title; 250 characters at most."""
    said = _SAYS.get(language, _SAYS["fr"]).format(title=shorten(text.title, LIMITS["title"])) if text.title else ""
    room = LIMITS["alt"] - len(said) - 3
    seen = shorten(visual.rstrip(" ."), room)
    return ". ".join(part for part in (seen, said) if part) + "."


def _cleaned(slide: dict[str, Any]) -> dict[str, Any]:
    """A writer's slide, its texts cleaned; fields of which nothing is left go."""
    cleaned: dict[str, Any] = {}
    for name, value in slide.items():
        match value:
            case str() if name in TEXTS:
                cleaned[name] = _clean(value, on_picture=name in DRAWN)
            case list() if name == "bullets":
                cleaned[name] = [point for item in value if (point := _clean(_BULLET.sub("", item.strip())))]
            case list():
                kpis = [{key: _clean(said) for key, said in kpi.items()} for kpi in value]
                cleaned[name] = [kpi for kpi in kpis if all(kpi.values())]
            case _:
                cleaned[name] = value
    return {name: value for name, value in cleaned.items() if value}


def _clean(text: str, *, on_picture: bool = True) -> str:
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text if unicodedata.category(c) != "Cs")
    text = _UNSEEN.sub("", text).replace("**", "").replace("__", "")
    text = _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()
    if on_picture:
        text = _TAG.sub("", _TAGS_AT_END.sub("", text)).strip()
    return text


def _counted(found: Sequence[dict[str, Any]], wanted: int, *, ends: bool) -> list[dict[str, Any]]:
    """``wanted`` slides: middle ones go or are added; an end that was cut off stays to be filled."""
    if len(found) >= wanted:
        return [*found[: wanted - 1], found[-1]]
    missing: list[dict[str, Any]] = [{} for _ in range(wanted - len(found))]
    closed = ends and bool(found) and (found[-1].get("type") == "cta" or ("cta" in found[-1] and len(found) > 1))
    return [*found[:-1], *missing, found[-1]] if closed else [*found, *missing]


def _turns(slides: Iterable[dict[str, Any]]) -> list[SlideType]:
    """Types between the ends. Neighbours that are both mistakes, or both remedies, take turns."""
    types: list[SlideType] = []
    before = ""
    for slide in slides:
        told = slide.get("type")
        kind: SlideType
        if told == "content":
            kind = "content"
        elif slide.get("kpis") and told in ("impact", None):
            kind = "impact"
        elif told in ("problem", "solution") and told != before:
            kind = "problem" if told == "problem" else "solution"
        else:
            kind = "solution" if before == "problem" else "problem"
        types.append(kind)
        before = kind if kind in ("problem", "solution") else ""
    return types


def _texts(slide: dict[str, Any], slide_type: SlideType, language: str, spare: Iterator[str]) -> SlideText:
    """A slide's words within their limits, with what its type cannot do without."""
    short = {
        name: shorten(slide.get(name, ""), limit_of(name, slide_type)).strip()
        for name in (*DRAWN, "alt", "caption")
        if name != "bullets"
    }
    points = [shorten(point, LIMITS["bullets"]) for point in slide.get("bullets", [])]
    kpis = slide.get("kpis", []) if slide_type == "impact" else []
    if slide_type in ("hero", "cta"):
        title, button = _ENDS[language][slide_type]
        short["title"], short["cta"] = short["title"] or title, short["cta"] or button
    return SlideText(
        type=slide_type,
        **short | {"title": short["title"] or next(spare)},
        bullets=[point for point in points if point][:MAX_BULLETS],
        kpis=[
            Kpi(label=shorten(kpi["label"], LIMITS["label"]), delta=shorten(kpi["delta"], LIMITS["delta"]))
            for kpi in kpis[:MAX_BULLETS]
        ],
    )


def _spare_titles(slides: Iterable[dict[str, Any]], language: str) -> Iterator[str]:
    """Titles for slides without one; none that stands on another slide, as long as they last."""
    used = {str(slide.get("title", "")).casefold() for slide in slides}
    titles = _TITLES[language]
    unused = [title for title in titles if title.casefold() not in used]
    return chain(unused, (f"{title} ({turn})" for turn in range(2, MAX_SLIDES + 2) for title in titles))


def _only(slide: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in slide.items() if name in names}


def _says_something(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_says_something, value.values() if isinstance(value, dict) else value))
    return value not in (None, "")


def _as_given(slide: dict[str, Any], number: int) -> SlideText:
    fields = {name: value for name, value in slide.items() if name not in ("number", "visual")}
    for name, value in fields.items():
        match value:
            case str() if name != "type":
                fields[name] = _checked(value, number, name)
            case list() if name == "bullets":
                fields[name] = [_checked(point, number, name) for point in value]
            case list():
                fields[name] = [{key: _checked(said, number, name) for key, said in kpi.items()} for kpi in value]
    return SlideText.model_validate(fields)


def _checked(text: str, number: int, field: str) -> str:
    text = unicodedata.normalize("NFC", text)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and not character.isspace():
            raise InvalidInput(
                f"slide {number}: the {_FIELDS['en'][field]} holds the control character U+{ord(character):04X}: "
                "remove it",
                code="control_character",
                character=f"U+{ord(character):04X}",
            )
    return _SPACES.sub(" ", _UNSEEN.sub("", text)).strip()


def _said(text: SlideText, fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each text of ``fields`` that says something; points and figures one by one."""
    for field in fields:
        if field in ("label", "delta"):
            yield from ((field, getattr(kpi, field)) for kpi in text.kpis)
            continue
        value = getattr(text, field)
        yield from ((field, said) for said in (value if isinstance(value, list) else [value]) if said)


def _shouts(text: str) -> bool:
    """Initials (SEO, RGPD) are no shouting: a word in capitals has five letters, or all of three words have them."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if word.lower() != word.upper()]
    capitals = [word for word in words if word == word.upper() and len(word) > 1]
    return "!!" in text or any(_SHOUTED.fullmatch(word) for word in capitals) or len(capitals) == len(words) > 2
