"""The port of text: what the pipelines ask of a writer."""

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile

Language = Literal["fr", "en", "es"]
Style = Literal["informative", "humorous", "dramatic", "inspiring"]


class ScriptRequest(BaseModel):
    """A script of exactly ``len(durations_s)`` blocks."""

    model_config = ConfigDict(frozen=True)

    theme: str
    durations_s: tuple[int, ...] = Field(min_length=1, max_length=10)
    style: Style = "informative"
    language: Language = "fr"
    seed: int = 0
    warning: str | None = Field(None, description="Said to the model when its first answer had too few blocks.")


class Written(BaseModel):
    """A text with its cost in micro-dollars and its tokens."""

    model_config = ConfigDict(frozen=True)

    text: str
    model: str
    cost_micros: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class ScriptWriter(Protocol):
    """An adapter; raises only ``ProviderError``."""

    profile: Profile

    def write_script(self, request: ScriptRequest) -> Written:
        """The script as ``BLOC n (8s): / DIALOGUE: "…" / VISUEL: …`` text."""
        ...
