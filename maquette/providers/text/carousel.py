"""Plans of carousels by rule, without a model: advice of the topic's domain, filled round what the client fixed.

A cover that promises, mistakes and remedies by turns, a last slide that calls to act. A topic that announces points
("5 conseils …") gets that many, numbered, where the slides hold them. It states no fact about the topic, makes up
no figure and quotes nobody: figures come from the topic and the brand's pitch alone, and a citation is a maxim of
our own. The tone and the platform change nothing here.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any, Final

from maquette.providers.text.advice import ANY, Pair, carousel_words, common_nouns, domains_of
from maquette.providers.text.figures import figures_of
from maquette.providers.text.pictures import Picture, pictures
from maquette.providers.text.port import LIMITS, MAX_BULLETS, CarouselRequest, Language
from maquette.providers.text.reading import read_json
from maquette.providers.text.slides import placed, read_slides
from maquette.providers.text.theme import ThemeKind
from maquette.providers.text.topic import long_enough, read_topic, title_of
from maquette.providers.text.wording import banned_in, shorten, typeset

KNOWLEDGE: Final = "knowledge"
_TRADES: Final = {"business", "marketing", "home", "property", "beauty", "fashion", "work", "money"}
_SUBJECT: Final[dict[Language, str]] = {"fr": "ce sujet", "en": "this subject", "es": "este tema"}
_LATIN: Final = re.compile("[A-Za-z\u00c0-\u024f]")
_DRAWN: Final = ("title", "subtitle", "body", "bullets", "badge", "note", "author", "kpis")

_Slide = dict[str, Any]


def carousel_plan(request: CarouselRequest) -> str:
    """The plan's JSON text; equal requests give equal plans. Texts given by the client stay word for word."""
    slides = _Composer(request).slides()
    return json.dumps({"slides": slides}, ensure_ascii=False, indent=1)


class _Composer:
    """One request with its words; every choice is drawn from the seed and the topic."""

    def __init__(self, request: CarouselRequest) -> None:
        self.request = request
        self.words = carousel_words(request.language)
        self.random = Random(f"{request.seed}/{request.language}/{request.goal}/{request.topic}/carousel")
        self.topic = read_topic(
            request.topic,
            language=request.language,
            subject=_SUBJECT[request.language],
            common=common_nouns(),
            words=self.words.list_words,
        )
        self.given = _given(request)

    def slides(self) -> list[_Slide]:
        """Every slide, with its picture and what the client fixed."""
        composed = self._citations() if self.request.carousel_type == "citation" else self._content()
        finished = []
        for slide, picture, given in zip(composed, self._pictures(), self.given, strict=True):
            ours = {name: _set(text, self.request.language) for name, text in (slide | picture._asdict()).items()}
            finished.append(_filled_round(given, ours))
        return finished

    @cached_property
    def _remedy_lines(self) -> list[str]:
        """Mixed once: remedies take them from the front, single points from the back."""
        return self._some(self.words.remedy_lines)

    @cached_property
    def _domains(self) -> tuple[str, ...]:
        """Domains of the topic, or else of the brand's trade."""
        texts = (self.request.topic, self.request.brand.niche)
        found = next((found for text in texts if (found := domains_of(text, language=self.request.language))), ())
        asked = self.topic.text.lower().lstrip("¿").startswith(tuple(self.words.why))
        # A trade knows why; whoever asks why cats purr wants to find out, not to keep a cat.
        return (KNOWLEDGE, *found) if asked and not set(found[:1]) & _TRADES else found

    def _content(self) -> list[_Slide]:
        between, points = self.request.slides - 2, self.topic.points
        held = points is not None and points.kind != "other" and points.count <= between * MAX_BULLETS
        count = points.count if points and held else 0
        wanted = count + math.ceil(max(0, between - count) / 2)
        pairs = self._pairs(wanted)
        # Too little advice for so many points, or slides that the client wrote: no numbers of ours.
        if len(pairs) < wanted or any(map(_words_of, self.given[1:-1])):
            count = 0
        spare = max(0, between - count)
        middle = self._turns(pairs[count:], spare) + (self._points(pairs[:count], between - spare) if count else [])
        domain = self._domains[:1]
        if domain and domain[0] in self.words.notes:
            middle[-1]["note"] = self.words.notes[domain[0]]
        return [self._hero(count), *middle, self._cta(middle, count)]

    def _hero(self, count: int) -> _Slide:
        goal = self.request.goal
        points = self.topic.points
        counted = self.words.list_promises[points.kind] if points and count else []
        promises = [line.replace("{n}", str(count)) for line in counted]
        return {
            "type": "hero",
            "title": self._title(count),
            "subtitle": self._one(promises or self.words.promises[goal]),
            "badge": self._one(self.words.badges[goal]),
            "cta": self._one(self.words.openers, but=str(self.given[-1].get("cta", ""))),
            "caption": self._caption(self.words.captions.hero, count),
        }

    def _title(self, count: int) -> str:
        topic, kind = self.topic, self.topic.spoken.kind
        # Whoever fixed the slides knows how many points they hold.
        counted = bool(count) or any(map(_words_of, self.given[1:-1]))
        name = title_of(topic, numbered=counted, language=self.request.language)
        plain = name.strip("¿? \u00a0")
        # Ours and another script do not mix well in one title.
        alone = (topic.points and counted) or not _LATIN.search(name)
        frames = ["{T}"] if alone else self.words.titles[kind]
        subject = _SUBJECT[self.request.language].capitalize()
        bare = self.words.titles["bare"]
        for lines, named in ((frames, name), (bare, plain), (bare, subject)):
            titles = [line.replace("{T}", named) for line in lines if named]
            fitting = [title for title in titles if long_enough(title) and len(title) <= LIMITS["title"]]
            if fitting:
                return self._one(fitting)
        return subject

    def _turns(self, pairs: Sequence[Pair], count: int) -> list[_Slide]:
        """Mistake and remedy by turns; figures, where there are any, instead of the last mistake but the first."""
        lines = {"problem": self._some(self.words.problem_lines), "solution": self._remedy_lines}
        slides: list[_Slide] = []
        for index in range(count):
            pair = pairs[index // 2 % len(pairs)]
            kind, side = ("solution", pair.solution) if index % 2 else ("problem", pair.problem)
            line = lines[kind][index // 2 % len(lines[kind])]
            slides.append({"type": kind, "title": side.title, "subtitle": line, "bullets": list(side.points)})
        last_mistake = (count - 1) // 2 * 2
        if last_mistake > 0 and (impact := self._impact()):
            slides[last_mistake] = impact
        told = {kind: self._some(getattr(self.words.captions, kind)) for kind in ("problem", "solution", "impact")}
        for index, slide in enumerate(slides):
            lines_of_kind = told[slide["type"]]
            slide["caption"] = _sentence(slide["title"], lines_of_kind[index // 2 % len(lines_of_kind)])
        return slides

    def _points(self, pairs: Sequence[Pair], count: int) -> list[_Slide]:
        """The announced points, numbered, on ``count`` slides of one to four points."""
        points, captions = self.topic.points, self.words.captions
        assert points is not None
        mistakes = points.kind == "mistake"
        lines, alone = self._some(self.words.list_lines[points.kind]), self._remedy_lines[::-1]
        told = self._some(captions.problem if mistakes else captions.content)
        slides: list[_Slide] = []
        first = 1
        for index in range(count):
            size = len(pairs) // count + (index < len(pairs) % count)
            pool = alone if size == 1 else lines
            slide = {"type": "content", "subtitle": pool[index % len(pool)]}
            slide |= self._point(pairs[first - 1 : first - 1 + size], first)
            slides.append(slide | {"caption": _sentence(slide["title"], told[index % len(told)])})
            first += size
        return slides

    def _point(self, group: Sequence[Pair], first: int) -> _Slide:
        """One point with its details, two with one detail each, or three and four alone."""
        points = self.topic.points
        assert points is not None
        mistakes = points.kind == "mistake"
        sides = [pair.problem if mistakes else pair.solution for pair in group]
        details = [pair.solution.title if mistakes else pair.solution.points[0] for pair in group]
        if len(group) == 1:
            alone: _Slide = {"title": f"{first}. {sides[0].title}", "bullets": list(sides[0].points)}
            return alone | ({"subtitle": details[0]} if mistakes else {})
        numbered = [f"{first + index}. {side.title}" for index, side in enumerate(sides)]
        if len(group) == 2:
            numbered = [line for pair in zip(numbered, details, strict=True) for line in pair]
        pattern = self.words.list_titles["two" if len(group) == 2 else "more"]
        title = pattern.format(noun=points.noun.capitalize(), a=first, b=first + len(group) - 1)
        return {"title": title, "bullets": numbered}

    def _impact(self) -> _Slide | None:
        sentence, figures = figures_of(self.request.brand.pitch, self.request.topic)
        if not figures or self._banned(sentence):
            return None
        return {
            "type": "impact",
            "title": self._one(self.words.impact.title),
            "subtitle": self._one(self.words.impact.line),
            "body": sentence if len(sentence) <= LIMITS["body"] else "",
            "kpis": [{"label": figure.label, "delta": figure.delta} for figure in figures],
        }

    def _cta(self, middle: Sequence[_Slide], count: int) -> _Slide:
        closing, brand = self.words.closings[self.request.goal], self.request.brand
        pitch = " ".join(brand.pitch.split())
        for slide in middle:
            pitch = pitch.replace(slide["body"], "").strip() if slide.get("body") else pitch
        pitch = shorten(pitch, LIMITS["body"])
        return {
            "type": "cta",
            "title": self._one(closing.titles),
            "subtitle": self._one(closing.subtitles),
            "body": "" if self._banned(pitch) else pitch,
            "cta": self._one(closing.ctas, but=str(self.given[0].get("cta", ""))),
            "note": "" if self._banned(brand.tagline) else shorten(brand.tagline, LIMITS["note"]),
            "caption": self._caption(self.words.captions.cta, count),
        }

    def _citations(self) -> list[_Slide]:
        """Maxims of our own, those that name the topic first, signed by the brand."""
        spoken, brand = self.topic.spoken, self.request.brand
        naming = [spoken.fill(line) for line in self.words.maxims["np"]] if spoken.kind == "np" else []
        naming = [line for line in naming if not self._banned(line)]
        maxims = [*self._some(naming), *self._some(self.words.maxims["any"])]
        told = self._some(self.words.captions.citation)
        names = (name for name in (brand.tagline, brand.niche) if 0 < len(name) <= LIMITS["author"])
        author = next((name for name in names if not self._banned(name)), "")
        slides: list[_Slide] = [
            {
                "type": "citation",
                "title": maxims[index % len(maxims)],
                "author": author,
                "caption": told[index % len(told)],
            }
            for index in range(self.request.slides)
        ]
        slides[0]["caption"] = self._caption(self.words.captions.hero, 0)
        return slides

    def _pairs(self, wanted: int) -> list[Pair]:
        """At most ``wanted`` pieces of advice: of the topic's domains, then for anything, in the files' order."""
        chosen: list[Pair] = []
        for domain in (*self._domains[:2], ANY):
            pool = [pair for pair in self.words.advice[domain] if not self._banned(_all_words(pair))]
            # With all of its words banned, advice is worth more than none; the linter will say so.
            pool = pool or (self.words.advice[ANY] if domain == ANY and not chosen else [])
            picked = self.random.sample(range(len(pool)), k=min(len(pool), wanted - len(chosen)))
            chosen += [pool[index] for index in sorted(picked)]
        return chosen

    def _pictures(self) -> list[Picture]:
        return pictures(
            self.request.topic,
            beside=[f"{given.get('title', '')} {given.get('subtitle', '')}" for given in self.given],
            domains=self._domains,
            words=self.words,
            language=self.request.language,
            mood=[*self.request.brand.visual_types, *self.request.brand.visual_mood],
            random=Random(f"{self.request.seed}/{self.request.language}/{self.request.topic}/pictures"),
        )

    def _caption(self, lines: Mapping[ThemeKind, Sequence[str]], count: int) -> str:
        spoken = self.topic.counted if count else self.topic.spoken
        return shorten(self._one([spoken.fill(line) for line in lines[spoken.kind]]), LIMITS["caption"])

    def _banned(self, text: str) -> bool:
        return bool(banned_in(text, self.request.brand.banned_words))

    def _some(self, lines: Sequence[str]) -> list[str]:
        """The lines that may be used, mixed; all of them where the brand bans every one."""
        allowed = [line for line in lines if not self._banned(line)] or list(lines)
        return self.random.sample(allowed, k=len(allowed))

    def _one(self, lines: Sequence[str], *, but: str = "") -> str:
        return next((line for line in self._some(lines) if line.casefold() != but.casefold()), lines[0])


def _given(request: CarouselRequest) -> list[_Slide]:
    """What the client fixed of every slide; an empty object where that is nothing."""
    return placed(read_slides(read_json(request.given)), total=request.slides)[: request.slides]


def _words_of(given: _Slide) -> bool:
    """Whether the client wrote what stands on the slide's picture, beside a mere button."""
    return any(given.get(name) for name in _DRAWN)


def _filled_round(given: _Slide, slide: _Slide) -> _Slide:
    """``slide`` with the client's words: none of ours stand between them but the button that the slide needs."""
    if _words_of(given):
        slide = {name: text for name, text in slide.items() if name == "title" or name not in _DRAWN}
        if slide["type"] in ("problem", "solution", "impact"):
            slide |= {"type": "content", "caption": given.get("title", slide["title"])}
    return slide | given


def _set(value: Any, language: Language) -> Any:
    """A slide's texts, typeset."""
    match value:
        case str():
            return typeset(value, language)
        case list():
            return [_set(item, language) for item in value]
        case dict():
            return {name: _set(item, language) for name, item in value.items()}
    return value


def _sentence(title: str, told: str) -> str:
    return f"{title}{'' if title.endswith(('?', '!', '.')) else '.'} {told}"


def _all_words(pair: Pair) -> str:
    return " \n ".join((pair.problem.title, *pair.problem.points, pair.solution.title, *pair.solution.points))
