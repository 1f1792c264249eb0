"""What the adapters share: the picture that a loop begins with, checked before anything costs."""

from hashlib import sha256
from pathlib import Path

from maquette.errors import Invalid
from maquette.providers.images.transfer import read_reference
from maquette.providers.loops.port import LoopRequest


def read_picture(request: LoopRequest, image: Path) -> tuple[bytes, str]:
    """The bytes of ``image`` and their media type.

    Raises ``Invalid`` where they are no picture or not those of ``request.image_sha256``, and ``Transient`` where they
    cannot be read.
    """
    data, media_type = read_reference(image)
    found = sha256(data).hexdigest()
    if found != request.image_sha256:
        raise Invalid(
            f"{image.name} is not the picture that was asked for (sha256 {found[:12]}, not "
            f"{request.image_sha256[:12]}): name the picture that is sent"
        )
    return data, media_type
