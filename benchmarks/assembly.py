"""What assembly and the edit of one block cost, against the plain ways of doing the same. Ratios within one run.

``python -m benchmarks.assembly`` prints a table and writes ``benchmarks/results/assembly.json``.
"""

import importlib.util
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from maquette.media import ffmpeg
from maquette.media.assemble import assemble
from maquette.media.captions import cues
from maquette.media.frame import Frame
from maquette.media.normalise import ENCODING, hearing, normalise, picture, strips
from maquette.media.probe import probe

RESULTS: Final = Path(__file__).parent / "results" / "assembly.json"
BLOCKS: Final = 6
SECONDS: Final = 8
FRAME: Final = Frame.of("9:16")
DIALOGUE: Final = (
    "Saviez-vous que les abeilles dansent ? Chaque pas indique une direction, et chaque détour une distance."
)
_NO_MOVIEPY: Final = "moviepy is not installed; `make bench` installs the bench extra"


class Cost(BaseModel):
    """What one way of doing a job took."""

    cpu_s: float
    wall_s: float


class Comparison(BaseModel):
    """Our way against another; ``cpu_ratio`` is ours over theirs."""

    name: str
    ours: Cost
    theirs: Cost | None
    cpu_ratio: float | None
    note: str = ""


def measured(work: Callable[[], object], *, runs: int = 1) -> Cost:
    """The cheapest of ``runs``: CPU of this process and of its children, and the clock on the wall."""
    costs = []
    for _ in range(runs):
        cpu_s, wall_s = _cpu_s(), time.perf_counter()
        work()
        costs.append(Cost(cpu_s=round(_cpu_s() - cpu_s, 3), wall_s=round(time.perf_counter() - wall_s, 3)))
    return min(costs, key=lambda cost: cost.cpu_s)


def _cpu_s() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compared(name: str, ours: Cost, theirs: Cost | None, *, note: str = "") -> Comparison:
    """The two costs with their ratio."""
    ratio = round(ours.cpu_s / theirs.cpu_s, 4) if theirs else None
    return Comparison(name=name, ours=ours, theirs=theirs, cpu_ratio=ratio, note=note)


def make_sources(folder: Path) -> list[Path]:
    """Clips as a provider sends them: 720 × 1280 at 24 frames a second, moving all over, with sound."""
    paths = [folder / f"source{index}.mp4" for index in range(BLOCKS)]
    for index, path in enumerate(paths):
        video = f"testsrc2=s=720x1280:r=24,hue=h={60 * index},noise=alls=6:allf=t:all_seed={index + 1}"
        voice = f"anoisesrc=color=pink:amplitude=0.25:seed={index + 1},tremolo=f=4:d=0.9"
        ffmpeg.run(
            [
                "-f", "lavfi", "-i", video, "-f", "lavfi", "-i", voice, "-t", str(SECONDS),
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
            ],
            timeout_s=300,
        )  # fmt: skip
    return paths


def bench_copy(blocks: list[Path], folder: Path) -> Comparison:
    """Assembly against ffmpeg's bare concat copy of the same files with one encode of their sound."""
    listing = folder / "blocks.txt"
    listing.write_text("".join(f"file '{path}'\n" for path in blocks), "utf-8")
    bare = ["-f", "concat", "-safe", "0", "-i", str(listing), "-c:v", "copy", "-c:a", "aac", "-b:a", "192k"]
    theirs = measured(lambda: ffmpeg.run([*bare, str(folder / "bare.mp4")], timeout_s=120), runs=3)
    ours = measured(lambda: _assemble(blocks, folder), runs=3)
    note = "theirs encodes with ffmpeg's default AAC coder, ours with its fast one"
    return compared("assembly / bare concat copy + one audio encode", ours, theirs, note=note)


def bench_moviepy(blocks: list[Path], folder: Path) -> Comparison:
    """Assembly against MoviePy joining the same files, which decodes and encodes every frame."""
    ours = measured(lambda: _assemble(blocks, folder), runs=3)
    if importlib.util.find_spec("moviepy") is None:
        return compared("assembly / MoviePy", ours, None, note=_NO_MOVIEPY)
    return compared("assembly / MoviePy", ours, measured(lambda: _moviepy(blocks, folder / "moviepy.mp4")))


def _moviepy(blocks: list[Path], destination: Path) -> None:
    from moviepy import VideoFileClip, afx, concatenate_videoclips

    clips = [VideoFileClip(str(path)) for path in blocks]
    film = concatenate_videoclips(clips).with_effects([afx.AudioNormalize()])
    film.write_videofile(str(destination), fps=30, codec="libx264", preset="veryfast", audio_codec="aac", logger=None)
    for clip in (film, *clips):
        clip.close()


def bench_edit(sources: list[Path], blocks: list[Path], folder: Path) -> Comparison:
    """One block normalised anew and the film assembled, against all blocks through one graph of ffmpeg."""

    def edit() -> None:
        normalise(sources[2], blocks[2], frame=FRAME, duration_s=SECONDS, dialogue=DIALOGUE)
        _assemble(blocks, folder)

    ours = measured(edit)
    return compared("one-block edit / full re-encode", ours, measured(lambda: _reencode(sources, folder)))


def _assemble(blocks: list[Path], folder: Path) -> None:
    assemble(blocks, folder / "film.mp4", durations_s=[SECONDS] * BLOCKS, frame=FRAME)


def _reencode(sources: list[Path], folder: Path) -> None:
    spoken = cues(DIALOGUE, duration_s=SECONDS)
    listing = strips(spoken, folder, frame=FRAME, duration_s=SECONDS)
    inputs = [arg for path in sources for arg in ("-i", str(path))]
    texts = [arg for _ in sources for arg in ("-f", "concat", "-safe", "0", "-i", str(listing))]
    chains = []
    for index, path in enumerate(sources):
        found = probe(path)
        video, overlay = f"{index}:v:0", f"{BLOCKS + index}:v"
        seen = picture(found, frame=FRAME, duration_s=SECONDS, overlay=overlay, source=video)
        heard = hearing(found, duration_s=SECONDS, source=f"{index}:a:0")
        chains.append(f"{seen}[v{index}];{heard}[a{index}]")
    pads = "".join(f"[v{index}][a{index}]" for index in range(BLOCKS))
    chains.append(f"{pads}concat=n={BLOCKS}:v=1:a=1[v][joined];[joined]loudnorm=I=-14:TP=-1.5,aresample=48000[a]")
    ffmpeg.run(
        [
            *inputs, *texts, "-filter_complex", ";".join(chains), "-map", "[v]", "-map", "[a]",
            *ENCODING, "-threads", "2", "-c:a", "aac", "-b:a", "192k", str(folder / "full.mp4"),
        ],
        timeout_s=900,
    )  # fmt: skip


def main() -> None:
    """Run the three benches, print their table and write it as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = make_sources(folder)
        blocks = [folder / f"block{index}.mp4" for index in range(BLOCKS)]
        for source, block in zip(sources, blocks, strict=True):
            normalise(source, block, frame=FRAME, duration_s=SECONDS, dialogue=DIALOGUE, threads=2)
        found = [bench_copy(blocks, folder), bench_moviepy(blocks, folder), bench_edit(sources, blocks, folder)]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([row.model_dump() for row in found], indent=2) + "\n", "utf-8")
    print(f"{BLOCKS} blocks of {SECONDS} s, {FRAME.width} × {FRAME.height}")
    print(f"{'':48} {'ours: CPU s':>12} {'wall s':>8} {'theirs: CPU s':>14} {'wall s':>8} {'CPU ratio':>10}")
    for row in found:
        theirs = f"{row.theirs.cpu_s:14.2f} {row.theirs.wall_s:8.2f}" if row.theirs else f"{'—':>14} {'—':>8}"
        ratio = f"{row.cpu_ratio:10.3f}" if row.cpu_ratio is not None else f"{'—':>10}"
        print(f"{row.name:48} {row.ours.cpu_s:12.2f} {row.ours.wall_s:8.2f} {theirs} {ratio}  {row.note}".rstrip())


if __name__ == "__main__":
    main()
