"""The local music provider: songs without words, synthesised on this machine without a key or a network.

It is no generative model and does not pass for one: instruments play a tune that is made by rule from the lyrics'
sections and syllables, in a style by the words of the prompt; nobody sings. Nothing here imports numpy before
something is played.
"""

from maquette.providers.music.local.provider import LocalMusic

__all__ = ["LocalMusic"]
