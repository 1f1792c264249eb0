"""The local clip provider: real moving pictures drawn on this machine, with music and, with espeak-ng, speech.

It is no generative model and does not pass for one: it composes a set, a light, a camera move and pictograms from
the words of the request. Nothing here imports numpy or Pillow before something is drawn.
"""

from maquette.providers.clips.local.provider import LocalClips

__all__ = ["LocalClips", "speech_available"]


def speech_available() -> bool:
    """Whether dialogues can be spoken here (espeak-ng as a library or a program)."""
    from maquette.providers.clips.local import speech

    return speech.speech_available()
