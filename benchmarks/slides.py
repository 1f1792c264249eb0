"""What the edit of a slide costs, from its kept background to a JPEG file, against bare Pillow drawing the same text.

``python -m benchmarks.slides`` prints a table and writes ``benchmarks/results/slides.json``.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel

from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from maquette.media.slides import (
    SlideContent,
    SlideKpi,
    SlideStyle,
    fit_background,
    layout_slide,
    render_slide,
    save_image,
)  # fmt: skip
from maquette.media.slides.typefaces import face

SIZE: Final = (1080, 1350)
AIM_MS: Final = 60
STYLE: Final = SlideStyle(palette=("#5b2be0", "#ff5a5f", "#ffd23f"))
SLIDES: Final = (
    SlideContent(
        type="hero", badge="Guide 2026", title="5 erreurs qui ruinent vos carrousels",
        subtitle="Et comment les éviter dès aujourd’hui, sans budget", cta="Découvrir",
    ),
    SlideContent(
        type="content", title="Personne ne lit vos slides", subtitle="Trop de texte, pas assez d’air",
        bullets=(
            "Des titres qui ne promettent rien", "Une mise en page différente à chaque slide",
            "Des couleurs qui fatiguent l’œil",
        ),
    ),
    SlideContent(
        type="impact", title="Ce qui change",
        kpis=(
            SlideKpi(label="de portée organique", delta="+35 %"),
            SlideKpi(label="d’enregistrements par publication", delta="×2,4"),
        ),
    ),
    SlideContent(type="citation", title="La simplicité est la sophistication suprême.", author="Léonard de Vinci"),
)  # fmt: skip


class Times(BaseModel):
    """Milliseconds of CPU and of the clock on the wall that each round took."""

    cpu_ms: list[float] = []
    wall_ms: list[float] = []

    def take(self, work: Callable[[], object]) -> None:
        """Do ``work`` once more."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        work()
        self.cpu_ms.append((time.process_time() - cpu_s) * 1000)
        self.wall_ms.append((time.perf_counter() - wall_s) * 1000)


class Compared(BaseModel):
    """The rounds of one slide, ours and bare Pillow's in turn."""

    name: str
    ours: Times
    theirs: Times


def make_background(path: Path) -> None:
    """A picture with the detail of a photograph: soft shapes and fine grain."""
    dice = np.random.default_rng(7)
    soft = Image.fromarray(dice.integers(0, 256, (15, 12, 3), np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = dice.normal(0, 6, (SIZE[1], SIZE[0], 1))
    grained = np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(grained).save(path, quality=95, subsampling="4:4:4")


def edit(background: Path, content: SlideContent, destination: Path) -> None:
    """Our way: the kept background, laid out, veiled as its pixels ask for, drawn and written."""
    picture = fit_background(background, *SIZE)
    save_image(render_slide(picture, content, style=STYLE, number=2, total=7), destination)


def bare(background: Path, content: SlideContent, destination: Path) -> Callable[[], None]:
    """Bare Pillow drawing the same lines of text in the same places, which it gets as a present, over no veil."""
    layout = layout_slide(content, style=STYLE, size=SIZE, number=2, total=7)
    runs = [run for block in layout.blocks for line in block.lines for run in line.runs]
    texts = [((run.x, run.y), run.text, face(run.font, run.size, run.weight)[0]) for run in runs]

    def draw() -> None:
        with Image.open(background) as picture:
            pen = ImageDraw.Draw(picture)
            for at, text, font in texts:
                pen.text(at, text, font=font, fill="white", anchor="ls")
            picture.save(destination, "JPEG", quality=92)

    return draw


def compare(folder: Path, contents: Sequence[SlideContent], *, rounds: int) -> list[Compared]:
    """Both ways by turns, ``rounds`` times each; every one of our edits has a new word in its title."""
    background, destination = folder / "background.jpg", folder / "slide.jpg"
    make_background(background)
    found = []
    for content in contents:
        compared = Compared(name=content.type, ours=Times(), theirs=Times())
        draw = bare(background, content, folder / "bare.jpg")
        edit(background, content, destination)
        draw()
        for index in range(rounds):
            edited = content.model_copy(update={"title": f"{content.title} {index}"})
            compared.ours.take(partial(edit, background, edited, destination))
            compared.theirs.take(draw)
        found.append(compared)
    return found


def measure(quick: bool) -> Report:
    """Four kinds of slides, 30 rounds each; quick, one kind and 3 rounds."""
    contents, rounds = (SLIDES[:1], 3) if quick else (SLIDES, 30)
    facts = machine()
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), contents, rounds=rounds)
    return report(found, facts, quick=quick)


def report(found: Sequence[Compared], facts: Machine, *, quick: bool) -> Report:
    """The medians as rows."""
    return Report(
        name="slides",
        title=f"One slide edited, {SIZE[0]} × {SIZE[1]}, kept background to JPEG: medians, aim {AIM_MS} ms",
        command=command("slides", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="slide", heading="slide"),
            Column(key="ours_ms", heading="ours: ms", digits=1),
            Column(key="ours_cpu_ms", heading="CPU ms", digits=1),
            Column(key="ours_least_ms", heading="least ms", digits=1),
            Column(key="theirs_ms", heading="bare Pillow: ms", digits=1),
            Column(key="theirs_cpu_ms", heading="CPU ms", digits=1),
            Column(key="cpu_ratio", heading="CPU ratio"),
        ],
        rows=[
            {
                "slide": each.name,
                "ours_ms": statistics.median(each.ours.wall_ms),
                "ours_cpu_ms": statistics.median(each.ours.cpu_ms),
                "ours_least_ms": min(each.ours.wall_ms),
                "theirs_ms": statistics.median(each.theirs.wall_ms),
                "theirs_cpu_ms": statistics.median(each.theirs.cpu_ms),
                "cpu_ratio": statistics.median(each.ours.cpu_ms) / statistics.median(each.theirs.cpu_ms),
            }
            for each in found
        ],
        notes=[
            "bare Pillow: open, the same lines at given places, JPEG 92 with halved chroma; no layout, no veil, no "
            "measured contrast, no shapes",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
