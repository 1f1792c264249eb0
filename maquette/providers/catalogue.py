"""Capabilities and prices of providers and models: data, read from ``catalogue.yaml``."""

from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.errors import ConfigurationError


class Profile(BaseModel):
    """What one model can do and what it costs. Prices are integer micro-dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    model: str
    kind: str = Field(description="clips, images, loops, music or text")
    local: bool = Field(False, description="Runs on this machine and is no generative model.")
    seconds: list[int] = Field([], description="Lengths of a clip that can be asked for, ascending.")
    aspect_ratios: list[str] = []
    resolutions: list[str] = []
    native_audio: bool = False
    inputs: dict[str, str | int] = Field({}, description="Further input that the model is given, as it is sent.")
    seed_input: str | None = Field(None, description="Name of the model's input for a seed, where it takes one.")
    reference_input: str | None = Field(None, description="Name of the model's input for reference pictures.")
    max_references: int = Field(0, ge=0, description="Reference pictures that one request may have.")
    lyrics_characters: tuple[int, int] | None = Field(None, description="Least and most that the model takes.")
    prompt_characters: tuple[int, int] | None = Field(None, description="Least and most that the model takes.")
    price_micros_per_s: int = Field(0, ge=0)
    price_micros_per_image: int = Field(0, ge=0)
    price_micros_per_loop: int = Field(0, ge=0)
    price_micros_per_song: int = Field(0, ge=0)
    price_micros_per_mtok_in: int = Field(0, ge=0)
    price_micros_per_mtok_out: int = Field(0, ge=0)
    charges_failed: bool = Field(False, description="A failed operation is charged as well; a filtered one never is.")
    source: str = Field(description="Where the facts come from.")
    checked: date = Field(description="When they were last read there.")

    def seconds_for(self, wanted: float) -> int:
        """The shortest length on offer that holds ``wanted`` seconds, else the longest there is."""
        return next((s for s in self.seconds if s >= wanted), self.seconds[-1])


@lru_cache
def catalogue() -> tuple[Profile, ...]:
    """All profiles, in the file's order."""
    rows = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text("utf-8"))
    return tuple(Profile.model_validate(row) for row in rows)


def profile(kind: str, provider: str, model: str | None = None) -> Profile:
    """The profile of ``model``, or the provider's first. Raises ``ConfigurationError`` naming what there is."""
    offers = [p for p in catalogue() if p.kind == kind]
    for offer in offers:
        if offer.provider == provider and model in (None, offer.model):
            return offer
    known = ", ".join(f"{p.provider}/{p.model}" for p in offers)
    raise ConfigurationError(f"no {kind} provider {provider}/{model or '(any)'} in the catalogue; there are: {known}")
