"""The dialogue spoken by espeak-ng, where it is installed: its library (with word times) or its program.

The library is the one of the package ``espeakng_loader`` (the extra ``speech``) or of the system. Its event
structure is that of espeak-ng's public header ``speak_lib.h``.
"""

import ctypes
import ctypes.util
import importlib
import io
import re
import shutil
import subprocess
import threading
import wave
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from maquette.providers.clips.local.music import RATE, Samples
from maquette.providers.clips.port import SpokenWord

_VOICES: Final = {"fr": b"fr", "en": b"en-us", "es": b"es"}
_CALM_WPM: Final = 158
_FASTEST_WPM: Final = 250
_LOCK: Final = threading.Lock()  # the library has one global state


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_END, _WORD = 0, 1


class Spoken(NamedTuple):
    """A voice at 48 kHz, one channel, and when its words are heard; no words where their times are not known."""

    samples: Samples
    words: list[SpokenWord]


class _Library:
    def __init__(self, handle: ctypes.CDLL, data: bytes | None) -> None:
        self.handle = handle
        # Retrieval mode (1) hands the sound over and never opens a sound device; 0x8000: do not exit on an error.
        self.rate = int(handle.espeak_Initialize(1, 0, data, 0x8000))
        if self.rate <= 0:
            raise OSError("espeak-ng did not start")

    def speak(self, text: str, *, voice: bytes, wpm: int) -> tuple[Samples, int, list[SpokenWord]]:
        chunks: list[Any] = []
        marks: list[tuple[int, int, float]] = []

        def hear(sound: Any, count: int, events: Any) -> int:
            if sound and count > 0:
                chunks.append(np.ctypeslib.as_array(sound, shape=(count,)).copy())
            i = 0
            while events[i].type != _END:
                if events[i].type == _WORD:
                    marks.append((events[i].text_position, events[i].length, events[i].audio_position / 1000))
                i += 1
            return 0

        callback = _CALLBACK(hear)  # kept in a variable: the library holds no reference
        self.handle.espeak_SetSynthCallback(callback)
        self.handle.espeak_SetVoiceByName(voice)
        self.handle.espeak_SetParameter(1, wpm, 0)
        data = text.encode()
        # Positions count characters (1), the text is UTF-8 (flag 1) and ends with a pause (0x1000).
        self.handle.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1 | 0x1000, None, None)
        self.handle.espeak_Synchronize()
        sound: Samples = np.concatenate([np.zeros(0, dtype=np.int16), *chunks]).astype(np.float32) / np.float32(32768)
        words = _whole_words(text, marks, end_s=len(sound) / self.rate)
        return sound, self.rate, words


def _whole_words(text: str, marks: list[tuple[int, int, float]], *, end_s: float) -> list[SpokenWord]:
    """The words as they are written: espeak-ng hears two in "l'eau", and none in "?"."""
    found: list[tuple[str, float]] = []
    for token in re.finditer(r"\S+", text):
        starts = [start for at, _, start in marks if token.start() < at <= token.end()]
        if starts:
            found.append((token.group(), starts[0]))
        elif found:
            found[-1] = (f"{found[-1][0]} {token.group()}", found[-1][1])
    ends = [start for _, start in found[1:]] + [end_s]
    return [
        SpokenWord(text=word, start_s=start, end_s=max(start, end))
        for (word, start), end in zip(found, ends, strict=True)
    ]


@lru_cache
def _library() -> _Library | None:
    try:
        loader = importlib.import_module("espeakng_loader")
        return _Library(ctypes.CDLL(loader.get_library_path()), str(loader.get_data_path()).encode())
    except (ImportError, OSError, AttributeError):
        pass
    name = ctypes.util.find_library("espeak-ng")
    try:
        return _Library(ctypes.CDLL(name), None) if name else None
    except OSError:
        return None


def speech_available() -> bool:
    """Whether dialogues can be spoken here."""
    with _LOCK:
        return _library() is not None or shutil.which("espeak-ng") is not None


def speak(text: str, *, language: str, seconds: float) -> Spoken | None:
    """``text`` in ``language`` within ``seconds``; ``None`` without espeak-ng or without text.

    Spoken faster where it would not fit, up to a limit, then cut at a word's end with a short fade.
    """
    if not text.strip():
        return None
    spoken = _once(text, language, _CALM_WPM)
    if spoken is None:
        return None
    long = len(spoken.samples) / RATE
    if long > seconds:
        spoken = _once(text, language, min(_FASTEST_WPM, round(_CALM_WPM * long / seconds * 1.04) + 1)) or spoken
    return _cut(spoken, seconds)


def _once(text: str, language: str, wpm: int) -> Spoken | None:
    voice = _VOICES[language]
    with _LOCK:
        library = _library()
        if library is not None:
            sound, rate, words = library.speak(text, voice=voice, wpm=wpm)
        else:
            program = shutil.which("espeak-ng")
            if program is None:
                return None
            order = [program, "-v", voice.decode(), "-s", str(wpm), "--stdin", "--stdout"]
            done = subprocess.run(order, input=text.encode(), capture_output=True, check=False, timeout=60)
            if done.returncode or not done.stdout:
                return None
            with wave.open(io.BytesIO(done.stdout)) as heard:
                rate, raw = heard.getframerate(), heard.readframes(heard.getnframes())
            sound, words = np.frombuffer(raw, dtype=np.int16).astype(np.float32) / np.float32(32768), []
    # Silence after the last word would count against the clip's length.
    loud = np.flatnonzero(np.abs(sound) > 0.004)
    sound = sound[: int(loud[-1]) + rate // 20] if len(loud) else sound[:0]
    if not len(sound):
        return None
    at = np.arange(int(len(sound) * RATE / rate)) * (rate / RATE)
    samples = np.interp(at, np.arange(len(sound)), sound).astype(np.float32)
    end = len(samples) / RATE
    words = [SpokenWord(text=w.text, start_s=w.start_s, end_s=min(w.end_s, end)) for w in words if w.start_s < end]
    return Spoken(samples, words)


def _cut(spoken: Spoken, seconds: float) -> Spoken:
    if len(spoken.samples) / RATE <= seconds:
        return spoken
    words = [word for word in spoken.words if word.end_s <= seconds]
    end = round((words[-1].end_s if words else seconds) * RATE)
    samples = spoken.samples[:end].copy()
    fade = min(len(samples), RATE // 12)
    samples[len(samples) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return Spoken(samples, words)
