"""Universes as each age of the older tools left them, with tiny media that can be decoded."""

import hashlib
import io
import json
import os
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from PIL import Image
from pydantic import JsonValue

LANGUAGES = ("fr", "en", "es", "it", "de")
WORDS = ("whale", "crab", "coral", "shark", "squid", "shell", "seal", "ray", "kelp", "prawn")


@lru_cache
def png(shade: int = 0) -> bytes:
    """A picture of 12 by 8 pixels."""
    made = io.BytesIO()
    Image.new("RGB", (12, 8), (shade % 256, 90, 160)).save(made, "PNG")
    return made.getvalue()


@lru_cache
def clip(suffix: str = ".mp4", shade: int = 0) -> bytes:
    """A clip of three frames, H.264 as MP4 or VP9 as WebM."""
    codec = "libx264" if suffix == ".mp4" else "libvpx-vp9"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=12)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for index in range(3):
                picture = np.full((32, 32, 3), (shade + 20 * index) % 256, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path.read_bytes()


@lru_cache
def song(tone: int = 440) -> bytes:
    """A fifth of a second of a tone as MP3."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "song.mp3"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libmp3lame", rate=44100, layout="mono")
            wave = np.sin(np.arange(8820) * 2 * np.pi * tone / 44100).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def write(folder: Path, documents: dict[str, JsonValue], files: dict[str, bytes] | None = None) -> Path:
    """A folder with these documents and files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=2), "utf-8")
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def media(count: int, *, video: str = "_silent.mp4", below: str = "") -> dict[str, bytes]:
    """A picture and a loop for each of the first words."""
    suffix = f".{video.rpartition('.')[2]}"
    found: dict[str, bytes] = {}
    for index, word in enumerate(WORDS[:count]):
        found[f"{below}{index:02d}_{word}.png"] = png(index)
        found[f"{below}{index:02d}_{word}{video}"] = clip(suffix, index)
    return found


def items(count: int, *, video: str | None = "_silent.mp4", translated: bool = False) -> list[JsonValue]:
    """Entries of ``data.json``."""
    found: list[JsonValue] = []
    for index, word in enumerate(WORDS[:count]):
        entry: dict[str, JsonValue] = {"image": f"{index:02d}_{word}.png", "title": word}
        entry["video"] = f"{index:02d}_{word}{video}" if video else None
        if translated:
            entry["title_translations"] = {language: f"{word} {language}" for language in LANGUAGES}
        found.append(entry)
    return found


def prompts(count: int, **changes: JsonValue) -> dict[str, JsonValue]:
    """``prompts.json`` in full."""
    words = WORDS[:count]
    return {
        "theme": "ocean",
        "description": "A deep blue sea.",
        "words": list(words),
        "images": [f"A drawing of {word}." for word in words],
        "videos": [f"{word} swims about." for word in words],
        "music": "A calm song of the sea.",
        "lyrics": "La mer, la mer,\ntoujours recommencée.",
        **changes,
    }


def v0(root: Path, name: str = "ocean", *, count: int = 2) -> Path:
    """The first age: items alone, words without translations."""
    documents: dict[str, JsonValue] = {
        "data.json": {"items": items(count)},
        "words.json": {"theme": name, "words": list(WORDS[:count])},
        "prompts.json": prompts(count),
    }
    return write(root / name, documents, media(count) | {"music.mp3": song()})


def v1(root: Path, name: str = "ocean", *, count: int = 2) -> Path:
    """Translations, songs in languages; words under the other name."""
    words: dict[str, JsonValue] = {language: [f"{w} {language}" for w in WORDS[:count]] for language in LANGUAGES}
    data: dict[str, JsonValue] = {
        "items": items(count, translated=True),
        "thumbnail": "00_whale.png",
        "theme": name,
        "translations": words,
        "theme_translations": {language: f"{name} {language}" for language in LANGUAGES},
        "music_translations": {
            language: {"lyrics": f"La la {language}", "prompt": f"Style {language}"} for language in LANGUAGES
        },
    }
    documents: dict[str, JsonValue] = {
        "data.json": data,
        "words.json": {"theme": name, "words": [f"{w} fr" for w in WORDS[:count]], "words_translations": words},
        "prompts.json": prompts(count),
    }
    songs = {f"music_{language}.mp3": song(300 + 20 * index) for index, language in enumerate(LANGUAGES)}
    texts = {"prompts.yaml": 'themes:\n  ocean: "fond de l’océan"\n'.encode()}
    return write(root / name, documents, media(count) | songs | texts)


def v2(root: Path, name: str = "ocean", *, count: int = 2) -> Path:
    """The last age before drafts: WebM with MP4 beside, a description, a colour, files in ``assets/``."""
    data: dict[str, JsonValue] = {
        "items": [
            {**entry, "rating": index}
            for index, entry in enumerate(items(count, video="_silent.webm"))
            if isinstance(entry, dict)
        ],
        "translations": {},
        "background_color": "#0a1b2c",
        "description": "Deep and blue",
        "music_translations": {language: {"lyrics": "", "prompt": "", "bpm": 90} for language in LANGUAGES},
        "viewer": {"zoom": 1.5},
    }
    translations: dict[str, JsonValue] = {
        language: [f"{w} {language}" for w in WORDS[:count]] for language in LANGUAGES
    }
    translations["en"] = list(WORDS[:count])
    documents: dict[str, JsonValue] = {
        "data.json": data,
        "words.json": {"theme": name, "words": list(WORDS[:count]), "translations": translations},
        "prompts.json": {
            "words": list(WORDS[:count]),
            "images": ["A drawing of whale."],
            "videos": ["{concept} swims"] * count,
        },
    }
    files = media(count, video="_silent.webm", below="assets/") | {
        f"assets/{index:02d}_{word}_silent.mp4": clip(".mp4", index) for index, word in enumerate(WORDS[:count])
    }
    return write(root / name, documents, files)


def drafts_era(root: Path, name: str = "ocean-1a2b3c4d", *, count: int = 2, zone: str = "") -> Path:
    """A draft's folder as the older drafts era wrote it, without ``data.json``."""
    metadata: dict[str, JsonValue] = {
        "draft_id": "1a2b3c4d",
        "name": "Océan",
        "theme": "ocean",
        "slug": "ocean",
        "status": "completed",
        "created_at": f"2025-12-11T14:42:08.528075{zone}",
        "updated_at": f"2025-12-13T15:25:01.812709{zone}",
        "background_color": "#112233",
        "thumbnail_url": f"/storage/drafts/{name}/assets/00_whale.png",
        "default_prompts": {"image": "A {object} in the sea.", "video": "A {object} swims."},
        "num_assets": count,
        "music_lyrics": {"fr": "La mer", "en": "The sea"},
        "editor": {"theme": "dark"},
    }
    entries: list[JsonValue] = [
        {
            "id": f"{index:02d}",
            "display_name": word,
            "sort_order": index,
            "image_prompt": f"A {word} in the sea.",
            "video_prompt": None,
            "generated_at": f"2025-12-11T14:42:08.5311{index:02d}{zone}",
            "image_file": f"{index:02d}_{word}.png",
            "video_file": f"{index:02d}_{word}_silent.webm",
            "reviewed": True,
        }
        for index, word in enumerate(WORDS[:count])
    ]
    files = media(count, video="_silent.webm", below="assets/") | {"assets/music_fr.mp3": song()}
    return write(root / name, {"metadata.json": metadata, "assets_metadata.json": entries}, files)


def traces(folder: Path) -> dict[str, tuple[int, int, str]]:
    """All that is below a folder: mode, time and contents of each."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else os.fsencode(path)
        found[str(path)] = (facts.st_mode, facts.st_mtime_ns, hashlib.sha256(content).hexdigest())
    return found
