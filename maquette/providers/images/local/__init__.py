"""The local image provider: pictures painted on this machine, without a key or a network.

It is no generative model and does not pass for one: it composes light, paper and pictograms from the words of the
prompt, the brand's colours and the seed, by rule. Nothing here imports numpy or Pillow before something is painted.
"""

from maquette.providers.images.local.provider import LocalImages

__all__ = ["LocalImages"]
