"""What takes the bodies of the older calls of universes."""

from collections.abc import Callable
from typing import Any, Final

from maquette.api.draft_shapes import DefaultPrompt, Translate, WriteLyrics
from maquette.api.universe_shapes import (
    AppliedConcepts,
    Concepts,
    DefaultTemplates,
    NewUniverse,
    Objects,
    PromptedWork,
    Rename,
    WantedMusicPrompt,
    WantedPrompts,
    Work,
)
from maquette.drafts.universe_data import DataChange
from maquette.drafts.universe_prompts import PromptsChange

_WORK = ("images", "videos", "music-all", "music/{language}", "all", "objects", "lyrics", "lyrics/{language}")

UNIVERSE_BODIES: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    **{f"POST /api/generate/{{name}}/{what}": Work.model_validate for what in _WORK},
    "POST /api/generate/{name}/item/{index}/video": PromptedWork.model_validate,
    "POST /api/generate/{name}/concepts": Concepts.model_validate,
    "POST /api/generate/{name}/concepts/apply": AppliedConcepts.model_validate,
    "POST /api/universes": NewUniverse.model_validate,
    "PATCH /api/universes/{name}/prompts": PromptsChange.model_validate,
    "POST /api/universes/{name}/prompts": PromptsChange.model_validate,
    "PATCH /api/universes/{name}/data": DataChange.model_validate,
    "POST /api/universes/{name}/rename-media": Rename.model_validate,
    "POST /api/universes/{name}/images/{index}/regenerate": PromptedWork.model_validate,
    "POST /api/universes/{name}/videos/{index}/regenerate": PromptedWork.model_validate,
    "POST /api/universes/{name}/lyrics/generate": WriteLyrics.model_validate,
    "POST /api/universes/{name}/translations/generate": Translate.model_validate,
    "POST /api/universes/{name}/images/prompts/generate": DefaultPrompt.model_validate,
    "POST /api/universes/{name}/videos/prompts/generate": DefaultPrompt.model_validate,
    "POST /api/default-prompts": DefaultTemplates.model_validate,
    "POST /api/generate-objects": Objects.model_validate,
    "POST /api/generate-image-prompts": WantedPrompts.model_validate,
    "POST /api/generate-video-prompts": WantedPrompts.model_validate,
    "POST /api/generate-music-prompt": WantedMusicPrompt.model_validate,
}
