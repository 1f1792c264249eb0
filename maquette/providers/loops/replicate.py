"""Loops from Replicate; which inputs a model takes is data of the catalogue."""

from pathlib import Path
from typing import Final

from maquette.errors import ConfigurationError
from maquette.providers.catalogue import Profile
from maquette.providers.clips.translation import download
from maquette.providers.loops.port import LoopRequest
from maquette.providers.loops.transfer import read_picture
from maquette.providers.replicate import Predictions

# Values of the catalogue's inputs that stand for what the request says.
_ASKED: Final = {"{frames}": "frames", "{fps}": "fps", "{width}": "width", "{height}": "height"}


class ReplicateLoops(Predictions):
    """One model of Replicate that sets pictures in motion.

    In the catalogue's ``inputs`` the values ``{frames}``, ``{fps}``, ``{width}`` and ``{height}`` stand for the
    request's numbers, under the names that the model gives them. Raises ``ConfigurationError`` for a model without
    an input for the picture.
    """

    def __init__(self, token: str, *, profile: Profile, base_url: str | None = None, timeout_s: float = 60) -> None:
        if profile.reference_input is None:
            raise ConfigurationError(f"name the picture's input (reference_input) of {profile.model} in the catalogue")
        self._picture_input = profile.reference_input
        super().__init__(token, profile=profile, base_url=base_url, timeout_s=timeout_s, seed_input=profile.seed_input)

    def submit(self, request: LoopRequest, *, reference: str, image: Path) -> str:
        """Order the clip; see the port. The picture goes along as data, a large one is uploaded first."""
        data, media_type = read_picture(request, image)
        inputs = self.profile.inputs.items()
        asked: dict[str, object] = {
            name: getattr(request, _ASKED[value]) if isinstance(value, str) and value in _ASKED else value
            for name, value in inputs
        }
        asked["prompt"] = request.prompt
        asked[self._picture_input] = self.file_input(data, name=image.name, media_type=media_type)
        return self.create(asked, reference=reference)

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Download the first output, without the token."""
        download(self.output(operation_id), destination, timeout_s=self.timeout_s, what="loop")
        return destination
