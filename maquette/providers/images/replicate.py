"""Images from Replicate; which inputs a model takes is data of the catalogue."""

from pathlib import Path

from maquette.providers.catalogue import Profile
from maquette.providers.images.port import ImageRequest
from maquette.providers.images.transfer import check_request, download, keep, read_reference
from maquette.providers.replicate import Predictions


class ReplicateImages(Predictions):
    """One model of Replicate that makes images.

    ``find`` cannot tell for a model without a seed, unless no prediction of it was created since.
    """

    def __init__(self, token: str, *, profile: Profile, base_url: str | None = None, timeout_s: float = 60) -> None:
        super().__init__(token, profile=profile, base_url=base_url, timeout_s=timeout_s, seed_input=profile.seed_input)

    def submit(self, request: ImageRequest, *, reference: str, files: list[Path]) -> str:
        """Order the picture; see the port. References go along as data, large ones are uploaded first."""
        check_request(request, files, profile=self.profile)
        asked: dict[str, object] = {
            **self.profile.inputs,
            "prompt": request.full_prompt(),
            "aspect_ratio": request.aspect_ratio(),
        }
        if files and self.profile.reference_input:
            asked[self.profile.reference_input] = [self._sent(path) for path in files]
        return self.create(asked, reference=reference)

    def _sent(self, path: Path) -> str:
        data, media_type = read_reference(path)
        return self.file_input(data, name=path.name, media_type=media_type)

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Download the first output, without the token."""
        return keep(download(self.output(operation_id), timeout_s=self.timeout_s), destination)
