"""Images from Replicate; which inputs a model takes is data of the catalogue."""

import base64
from pathlib import Path
from typing import Final

import httpx
from pydantic import BaseModel, ValidationError

from maquette.errors import Transient
from maquette.providers.catalogue import Profile
from maquette.providers.images.port import ImageRequest
from maquette.providers.images.transfer import check_request, download, keep, read_reference
from maquette.providers.replicate import Predictions

_INLINE_BYTES: Final = 256_000  # Replicate's own advice for data URIs; what is larger is uploaded first


class _File(BaseModel):
    urls: dict[str, str]


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
        if len(data) <= _INLINE_BYTES:
            return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        try:
            answer = self.reader.post("/v1/files", files={"content": (path.name, data, media_type)})
        except httpx.HTTPError as error:
            # Nothing was ordered yet.
            raise Transient(f"the reference could not be uploaded ({type(error).__name__}): try again") from error
        self.check(answer, expected=201)
        try:
            return _File.model_validate_json(answer.content).urls["get"]
        except (ValidationError, KeyError) as error:
            raise Transient("Replicate's answer to an upload cannot be read: try again") from error

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Download the first output, without the token."""
        return keep(download(self.output(operation_id), timeout_s=self.timeout_s), destination)
