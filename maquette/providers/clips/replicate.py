"""Clips from Replicate."""

from pathlib import Path

from maquette.providers.clips.port import ClipRequest, FetchedClip
from maquette.providers.clips.translation import check_request, download
from maquette.providers.replicate import Predictions


class ReplicateClips(Predictions):
    """One model of Replicate that makes clips."""

    def submit(self, request: ClipRequest, *, reference: str) -> str:
        """Order the clip; see the port."""
        check_request(request, profile=self.profile)
        asked: dict[str, object] = {
            "prompt": request.prompt(),
            "duration": request.seconds,
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
        }
        return self.create(asked, reference=reference)

    def fetch(self, operation_id: str, destination: Path) -> FetchedClip:
        """Download the first output, without the token."""
        download(self.output(operation_id), destination, timeout_s=self.timeout_s)
        return FetchedClip(path=destination)
