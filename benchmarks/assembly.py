"""What assembly and the edit of one block cost, against the plain ways of doing the same. Ratios within one run.

``python -m benchmarks.assembly`` prints a table and writes ``benchmarks/results/assembly.json``.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from benchmarks.meter import waited_for_s
from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from maquette.media import ffmpeg
from maquette.media.assemble import assemble
from maquette.media.captions import cues
from maquette.media.frame import Frame
from maquette.media.normalise import ENCODING, hearing, normalise, picture, strips
from maquette.media.probe import probe

FRAME: Final = Frame.of("9:16")
DIALOGUE: Final = (
    "Saviez-vous que les abeilles dansent ? Chaque pas indique une direction, et chaque détour une distance."
)
_NO_MOVIEPY: Final = "MoviePy is missing, so nothing was compared with it: `make bench` installs it"


class Cost(BaseModel):
    """What one way of doing a job took."""

    cpu_s: float
    wall_s: float


class Comparison(BaseModel):
    """Our way against another; ``cpu_ratio`` is ours over theirs, ``aim`` what it should not exceed."""

    name: str
    ours: Cost
    theirs: Cost | None
    cpu_ratio: float | None
    aim: float
    note: str = ""


def measured(work: Callable[[], object], *, runs: int = 1) -> Cost:
    """The cheapest of ``runs``: CPU of this process and of its children, and the clock on the wall."""
    costs = []
    for _ in range(runs):
        cpu_s, wall_s = waited_for_s(), time.perf_counter()
        work()
        costs.append(Cost(cpu_s=round(waited_for_s() - cpu_s, 3), wall_s=round(time.perf_counter() - wall_s, 3)))
    return min(costs, key=lambda cost: cost.cpu_s)


def compared(name: str, ours: Cost, theirs: Cost | None, *, aim: float, note: str = "") -> Comparison:
    """The two costs with their ratio."""
    ratio = round(ours.cpu_s / theirs.cpu_s, 4) if theirs else None
    return Comparison(name=name, ours=ours, theirs=theirs, cpu_ratio=ratio, aim=aim, note=note)


def make_sources(folder: Path, *, count: int, seconds: int) -> list[Path]:
    """Clips as a provider sends them: 720 × 1280 at 24 frames a second, moving all over, with sound."""
    paths = [folder / f"source{index}.mp4" for index in range(count)]
    for index, path in enumerate(paths):
        video = f"testsrc2=s=720x1280:r=24,hue=h={60 * index},noise=alls=6:allf=t:all_seed={index + 1}"
        voice = f"anoisesrc=color=pink:amplitude=0.25:seed={index + 1},tremolo=f=4:d=0.9"
        ffmpeg.run(
            [
                "-f", "lavfi", "-i", video, "-f", "lavfi", "-i", voice, "-t", str(seconds),
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
            ],
            timeout_s=300,
        )  # fmt: skip
    return paths


def bench_copy(blocks: list[Path], folder: Path, *, seconds: int) -> Comparison:
    """Assembly against ffmpeg's bare concat copy of the same files with one encode of their sound."""
    listing = folder / "blocks.txt"
    listing.write_text("".join(f"file '{path}'\n" for path in blocks), "utf-8")
    bare = ["-f", "concat", "-safe", "0", "-i", str(listing), "-c:v", "copy", "-c:a", "aac", "-b:a", "192k"]
    theirs = measured(lambda: ffmpeg.run([*bare, str(folder / "bare.mp4")], timeout_s=120), runs=3)
    ours = measured(lambda: _assemble(blocks, folder, seconds=seconds), runs=3)
    note = "the copy encodes with ffmpeg's default AAC coder, ours with its fast one; ours should take 2 s at most"
    return compared("assembly / bare concat copy + one audio encode", ours, theirs, aim=1.3, note=note)


def bench_moviepy(blocks: list[Path], folder: Path, *, seconds: int) -> Comparison:
    """Assembly against MoviePy joining the same files, which decodes and encodes every frame."""
    name, aim = "assembly / MoviePy", 1 / 20
    ours = measured(lambda: _assemble(blocks, folder, seconds=seconds), runs=3)
    if importlib.util.find_spec("moviepy") is None:
        return compared(name, ours, None, aim=aim, note=_NO_MOVIEPY)
    return compared(name, ours, measured(lambda: _moviepy(blocks, folder / "moviepy.mp4")), aim=aim)


def _moviepy(blocks: list[Path], destination: Path) -> None:
    from moviepy import VideoFileClip, afx, concatenate_videoclips

    clips = [VideoFileClip(str(path)) for path in blocks]
    film = concatenate_videoclips(clips).with_effects([afx.AudioNormalize()])
    film.write_videofile(str(destination), fps=30, codec="libx264", preset="veryfast", audio_codec="aac", logger=None)
    for clip in (film, *clips):
        clip.close()


def bench_edit(sources: list[Path], blocks: list[Path], folder: Path, *, seconds: int) -> Comparison:
    """One block normalised anew and the film assembled, against all blocks through one graph of ffmpeg."""

    def edit() -> None:
        normalise(sources[1], blocks[1], frame=FRAME, duration_s=seconds, dialogue=DIALOGUE)
        _assemble(blocks, folder, seconds=seconds)

    ours = measured(edit)
    theirs = measured(lambda: _reencode(sources, folder, seconds=seconds))
    return compared("one-block edit / full re-encode", ours, theirs, aim=1 / 4)


def _assemble(blocks: list[Path], folder: Path, *, seconds: int) -> None:
    assemble(blocks, folder / "film.mp4", durations_s=[seconds] * len(blocks), frame=FRAME)


def _reencode(sources: list[Path], folder: Path, *, seconds: int) -> None:
    spoken = cues(DIALOGUE, duration_s=seconds)
    listing = strips(spoken, folder, frame=FRAME, duration_s=seconds)
    count = len(sources)
    inputs = [arg for path in sources for arg in ("-i", str(path))]
    texts = [arg for _ in sources for arg in ("-f", "concat", "-safe", "0", "-i", str(listing))]
    chains = []
    for index, path in enumerate(sources):
        found = probe(path)
        video, overlay = f"{index}:v:0", f"{count + index}:v"
        seen = picture(found, frame=FRAME, duration_s=seconds, overlay=overlay, source=video)
        heard = hearing(found, duration_s=seconds, source=f"{index}:a:0")
        chains.append(f"{seen}[v{index}];{heard}[a{index}]")
    pads = "".join(f"[v{index}][a{index}]" for index in range(count))
    chains.append(f"{pads}concat=n={count}:v=1:a=1[v][joined];[joined]loudnorm=I=-14:TP=-1.5,aresample=48000[a]")
    ffmpeg.run(
        [
            *inputs, *texts, "-filter_complex", ";".join(chains), "-map", "[v]", "-map", "[a]",
            *ENCODING, "-threads", "2", "-c:a", "aac", "-b:a", "192k", str(folder / "full.mp4"),
        ],
        timeout_s=900,
    )  # fmt: skip


def measure(quick: bool) -> Report:
    """The three comparisons, of 6 blocks of 8 s; quick, of 2 blocks of 2 s."""
    count, seconds = (2, 2) if quick else (6, 8)
    facts = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = make_sources(folder, count=count, seconds=seconds)
        blocks = [folder / f"block{index}.mp4" for index in range(count)]
        for source, block in zip(sources, blocks, strict=True):
            normalise(source, block, frame=FRAME, duration_s=seconds, dialogue=DIALOGUE, threads=2)
        found = [
            bench_copy(blocks, folder, seconds=seconds),
            bench_moviepy(blocks, folder, seconds=seconds),
            bench_edit(sources, blocks, folder, seconds=seconds),
        ]
    return report(found, facts, quick=quick, job=f"{count} blocks of {seconds} s, {FRAME.width} × {FRAME.height}")


def report(found: Sequence[Comparison], facts: Machine, *, quick: bool, job: str) -> Report:
    """The comparisons as rows."""
    return Report(
        name="assembly",
        title=f"Assembly and edit: {job}",
        command=command("assembly", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="name", heading="ours / theirs"),
            Column(key="ours_cpu_s", heading="ours: CPU s"),
            Column(key="ours_wall_s", heading="wall s"),
            Column(key="theirs_cpu_s", heading="theirs: CPU s"),
            Column(key="theirs_wall_s", heading="wall s"),
            Column(key="cpu_ratio", heading="CPU ratio", digits=3),
            Column(key="aim", heading="aim: at most", digits=3),
        ],
        rows=[
            {
                "name": each.name,
                "ours_cpu_s": each.ours.cpu_s,
                "ours_wall_s": each.ours.wall_s,
                "theirs_cpu_s": each.theirs.cpu_s if each.theirs else None,
                "theirs_wall_s": each.theirs.wall_s if each.theirs else None,
                "cpu_ratio": each.cpu_ratio,
                "aim": each.aim,
            }
            for each in found
        ],
        notes=[f"{each.name}: {each.note}" for each in found if each.note],
    )


if __name__ == "__main__":
    run_bench(measure)
