"""Songs from Replicate; which inputs a model takes, and how much of them, is data of the catalogue."""

from pathlib import Path
from typing import Final

from maquette.errors import Invalid
from maquette.providers.catalogue import Profile
from maquette.providers.clips.translation import download, storage_error
from maquette.providers.music.port import MusicRequest
from maquette.providers.replicate import Predictions

_SECONDS: Final = "{seconds}"  # stands for the request's length among the catalogue's inputs


class ReplicateMusic(Predictions):
    """One model of Replicate that makes songs.

    ``find`` cannot tell for a model without a seed, unless no prediction of it was created since.
    """

    def __init__(self, token: str, *, profile: Profile, base_url: str | None = None, timeout_s: float = 60) -> None:
        super().__init__(token, profile=profile, base_url=base_url, timeout_s=timeout_s, seed_input=profile.seed_input)

    def submit(self, request: MusicRequest, *, reference: str) -> str:
        """Order the song; see the port. Text that is longer than the model takes is cut, at a line where it can be.

        Raises ``Invalid`` for text that is too short.
        """
        asked: dict[str, object] = {
            name: request.seconds if value == _SECONDS else value for name, value in self.profile.inputs.items()
        }
        asked["lyrics"] = self._fitting("lyrics", request.lyrics, self.profile.lyrics_characters)
        asked["prompt"] = self._fitting("prompt", request.prompt, self.profile.prompt_characters)
        return self.create(asked, reference=reference)

    def _fitting(self, what: str, text: str, limits: tuple[int, int] | None) -> str:
        text = text.strip()
        if limits is None:
            return text
        least, most = limits
        if len(text) < least:
            raise Invalid(
                f"the {what} has {len(text)} characters and {self.profile.model} wants {least} or more: write more"
            )
        return _cut(text, most)

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Download the first output, without the token. Raises ``Invalid`` for what is no MP3."""
        download(self.output(operation_id), destination, timeout_s=self.timeout_s, what="song")
        try:
            with destination.open("rb") as song:
                head = song.read(3)
        except OSError as error:
            raise storage_error(error, destination) from error
        if not _is_mp3(head):
            destination.unlink(missing_ok=True)
            raise Invalid("what the provider gave is no MP3: generate the song again")
        return destination


def _cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters: whole lines where half of it stays, else whole words."""
    if len(text) <= most:
        return text
    head = text[: most + 1]
    for mark in ("\n", " "):
        end = head.rfind(mark)
        if end > most // 2:
            return head[:end].rstrip()
    return text[:most]


def _is_mp3(head: bytes) -> bool:
    """An ID3 tag, or the first eleven bits of a frame of MPEG audio."""
    return head == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)
