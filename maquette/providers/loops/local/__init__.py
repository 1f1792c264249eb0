"""The local loop provider: pictures set in motion on this machine, without a key or a network.

It is no generative model and does not pass for one: it moves the picture that it is given by rule, from the words
of the prompt. Nothing here imports numpy, Pillow or PyAV before something is drawn.
"""

from maquette.providers.loops.local.provider import LocalLoops

__all__ = ["LocalLoops"]
