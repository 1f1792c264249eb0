"""Orders of drafts from the command line: what is ordered, and how it is followed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from maquette.cli.draft_reports import DRAFT
from maquette.cli.following import order
from maquette.cli.opening import Opened, reading
from maquette.cli.order_progress import CONCEPTS, DRAFT_NAMES
from maquette.cli.order_reports import print_estimate
from maquette.cli.output import ExitCode, console, print_json
from maquette.drafts.models import Making, NewDraft, Part, Regeneration
from maquette.errors import InvalidInput, MaquetteError
from maquette.intake.service import AcceptedDraft
from maquette.settings import Settings

DEFAULT_ASSETS: Final = 10
_BARS: Final[dict[Part, str]] = dict(zip(("image", "video", "music"), DRAFT_NAMES[1:], strict=True))
# Options whose name is not their field's.
_OPTIONS: Final = {
    "theme": "THEME",
    "background_color": "--color",
    "image": "--image-prompt",
    "video": "--video-prompt",
    "objects": "--objects-prompt",
    "music": "--music-prompt",
    "new_image_prompt": "--image-prompt",
    "new_video_prompt": "--video-prompt",
}

Shape = TypeVar("Shape", bound=BaseModel)


def new_draft(fields: Mapping[str, object], templates: Mapping[str, str | None]) -> NewDraft:
    """The draft that the options say. Raises ``InvalidInput``."""
    given = {name: template for name, template in templates.items() if template is not None}
    return _checked(NewDraft, {**fields, "custom_prompts": given or None})


def create_and_generate(
    new: NewDraft, assets: int, settings: Settings, *, brand: str | None, wait: bool, as_json: bool
) -> int:
    """Make the draft and order its assets, or neither. Raises as ``following.order`` does."""

    def place(opened: Opened) -> str:
        draft_id = opened.drafts.create(new.model_copy(update={"brand_id": opened.brand_id(brand)})).draft_id
        try:
            opened.intake.generate_draft(draft_id, Making(num_assets=assets))
        except MaquetteError:  # such as a budget that is used up: the next try would leave a second draft
            opened.drafts.delete(draft_id)
            raise
        return draft_id

    return order(place, replace(DRAFT, names=DRAFT_NAMES), settings, wait=wait, as_json=as_json)


def generate(
    draft_id: str,
    settings: Settings,
    *,
    assets: int | None,
    force: bool,
    parts: Iterable[str] | None,
    languages: Iterable[str] | None,
    key: str | None,
    estimate: bool,
    wait: bool,
    as_json: bool,
) -> int:
    """Order what a draft lacks of so many ``assets``, or say what it would take. Raises as ``following.order`` does."""
    chosen: dict[str, object] = {"force_regenerate": force, "parts": frozenset(parts or _BARS)}
    if languages:
        chosen["languages"] = tuple(dict.fromkeys(languages))
    making = _checked(Making, chosen)

    def wanted(opened: Opened) -> Making:
        number = assets or opened.drafts.status(draft_id).total_assets or DEFAULT_ASSETS
        return making.model_copy(update={"num_assets": number})

    if estimate:
        with reading(settings, code="draft_not_found") as opened:
            found = opened.intake.estimate_draft(draft_id, wanted(opened))
            payer = opened.brand(str(found.brand_id))
        if as_json:
            print_json(found)
        else:
            print_estimate(found, payer.name, console())
        return ExitCode.OK

    def place(opened: Opened) -> str:
        return _told(opened.intake.generate_draft(draft_id, wanted(opened), key=key))

    names = [CONCEPTS] if making.parts - {"music"} else []
    names += [bar for part, bar in _BARS.items() if part in making.parts]
    return order(place, replace(DRAFT, names=names), settings, wait=wait, as_json=as_json)


def regenerate(
    draft_id: str,
    asset: int,
    settings: Settings,
    *,
    image: bool,
    video: bool,
    prompts: tuple[str | None, str | None],
    wait: bool,
    as_json: bool,
) -> int:
    """Order one asset anew. Raises ``InvalidInput`` for a prompt of what is kept, and as ``following.order`` does."""
    for name, is_made, prompt in zip(("image", "video"), (image, video), prompts, strict=True):
        if prompt is not None and not is_made:
            raise InvalidInput(f"--{name}-prompt is for a new {name}: leave --no-{name} away")
    if not (image or video):
        raise InvalidInput("nothing is to be made anew: leave --no-image or --no-video away")
    wanted = _checked(
        Regeneration,
        {
            "new_image_prompt": prompts[0],
            "new_video_prompt": prompts[1],
            "regenerate_image": image,
            "regenerate_video": video,
        },
    )
    names = [name for name, is_made in (("image", image), ("video", video)) if is_made]
    return order(
        lambda opened: _told(opened.intake.regenerate_draft_asset(draft_id, asset, wanted)),
        replace(DRAFT, names=names),
        settings,
        wait=wait,
        as_json=as_json,
    )


def _checked(shape: type[Shape], fields: Mapping[str, object]) -> Shape:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            name = next(part for part in reversed(problem["loc"]) if isinstance(part, str))
            is_color = problem["type"] == "string_pattern_mismatch"
            message = "write it as #rrggbb" if is_color else problem["msg"].replace("Value error, ", "")
            problems.append(f"{_OPTIONS.get(name, f'--{name}')}: {message}")
        raise InvalidInput("; ".join(problems)) from error


def _told(accepted: AcceptedDraft) -> str:
    if accepted.order_id is None:
        console(stderr=True).print("Nothing is missing: nothing was ordered.", soft_wrap=True)
    return accepted.draft_id
