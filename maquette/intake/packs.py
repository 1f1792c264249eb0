"""Packs: several assets that a chat proposed together, as they are ordered and priced."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from maquette.errors import InvalidInput
from maquette.intake.repair import loads_tolerant
from maquette.intake.requests import Line, MediaRequest, checked, fields_of
from maquette.intake.values import Format
from maquette.intake.words import value_named
from maquette.providers.images.port import Ratio

Kind = Literal["image", "carousel", "video_premium"]

MAX_ASSETS: Final = 20

_FORMATS: Final[dict[Kind, Format]] = {"image": "image", "carousel": "carousel", "video_premium": "video"}
_KINDS: Final[dict[Format, Kind]] = {value: kind for kind, value in _FORMATS.items()}
_SHARED: Final = ("brandId", "brand_id", "language", "platform")


class PackAsset(BaseModel):
    """One image or several of a kind, one carousel, or videos. ``count`` of a carousel are its slides."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Unique within the pack.")
    brand_id: str | None = Field(description="As the chat wrote it; a placeholder where it is no UUID.")
    kind: Kind
    count: int
    platform: str
    ratio: Ratio
    title: str
    goal: str
    tone: str
    prompt: str
    duration_s: int | None = Field(description="Seconds of a video.")
    texts: dict[str, JsonValue] | list[JsonValue] | None
    woof_cost_type: Kind
    carousel_type: str
    language: str
    visual_style: str
    style_category: str
    color_mode: str
    use_brand_kit: bool
    background_only: bool
    references: list[UUID]


class Pack(BaseModel):
    """What a chat proposes to make."""

    model_config = ConfigDict(frozen=True)

    title: str
    summary: str
    assets: list[PackAsset]


class _Header(BaseModel):
    title: Line = Field("", max_length=200, description="200 characters at most")
    summary: Line = Field("", max_length=2000, description="2000 characters at most")


class _Cost(BaseModel):
    woofs: int
    each: bool


@lru_cache
def _costs() -> dict[str, _Cost]:
    rows = yaml.safe_load(Path(__file__).with_name("packs.yaml").read_text("utf-8"))["woof_costs"]
    return {kind: _Cost.model_validate(row) for kind, row in rows.items()}


def parse_pack(document: object) -> tuple[Pack, list[str]]:
    """The pack that ``document`` holds, with remarks on what was mended, left out or assumed.

    ``document`` is the JSON value, or a chat model's text with it (read as ``loads_tolerant`` does): the pack itself,
    an object with a ``pack``, or a list of assets. An asset's fields go by the names of a request's. Unknown goals
    and platforms are left out; a missing prompt is the title; a carousel's count of 1 is one carousel.

    Raises ``InvalidInput`` with every problem and the asset that has it; nothing is taken of such a pack.
    """
    value, remarks = _loaded(document)
    if isinstance(value, dict) and "assets" not in value and "pack" in value:
        value, more = _loaded(value["pack"])
        remarks += more
    outer: Mapping[str, Any] = value if isinstance(value, dict) else {"assets": value}
    assets = outer.get("assets")
    if not isinstance(assets, list) or not assets:
        raise InvalidInput("the pack holds no whole asset: send its assets as a list")
    if len(assets) > MAX_ASSETS:
        raise InvalidInput(f"the pack has {len(assets)} assets: send {MAX_ASSETS} at most")
    header = _header(outer)
    shared = {key: outer[key] for key in _SHARED if key in outer}
    read: list[PackAsset] = []
    details: list[dict[str, str]] = []
    for number, asset in enumerate(assets, start=1):
        try:
            read.append(_asset({**shared, **asset} if isinstance(asset, dict) else asset, number, read, remarks))
        except InvalidInput as error:
            label = _label(asset, number)
            found = error.values.get("details")
            each = found if isinstance(found, list) else [{"field": "", "message": str(error)}]
            details += [
                {"field": f"assets[{number - 1}].{it['field']}".rstrip("."), "message": f"{label}: {it['message']}"}
                for it in each
            ]
    if details:
        raise InvalidInput("; ".join(it["message"] for it in details), details=details)
    return Pack(title=header.title, summary=header.summary, assets=read), list(dict.fromkeys(remarks))


def _loaded(document: object) -> tuple[object, list[str]]:
    return loads_tolerant(document) if isinstance(document, str) else (document, [])


def _header(document: Mapping[str, Any]) -> _Header:
    return checked(_Header, {name: document[name] for name in _Header.model_fields if document.get(name) is not None})


def _label(asset: object, number: int) -> str:
    name = asset.get("id") if isinstance(asset, dict) else None
    return f"asset {number}" + (f" ({name[:40]!r})" if isinstance(name, str) and name else "")


def _asset(document: object, number: int, before: list[PackAsset], remarks: list[str]) -> PackAsset:
    if not isinstance(document, dict):
        raise InvalidInput("it is no object")
    label, fields = _label(document, number), fields_of(document, MediaRequest)
    header = _header(document)
    for name in ("goal", "platform"):
        if name in fields and value_named(name, fields[name]) is None:
            remarks.append(f"{label}: {name} {str(fields.pop(name))[:60]!r} is not known, and is left out")
    brand = _name(fields.pop("brand_id", None))
    if brand and _uuid(brand) is None:
        remarks.append(f"brandId {brand!r} is no UUID, and is taken as none")
    if "topic" not in fields and header.title:
        fields["topic"] = header.title
        remarks.append(f"{label}: it has no prompt, and is made from its title")
    if value_named("format", fields.get("format")) is None:
        raise InvalidInput("kind may be image, carousel or video_premium")
    one = value_named("format", fields["format"]) == "carousel" and fields.get("count") in (1, "1")
    if one:
        del fields["count"]
    request = checked(MediaRequest, fields)
    if one:
        remarks.append(f"{label}: a count of 1 is read as one carousel, of {request.count} slides")
    kind = _KINDS[request.format]
    cost_type = document.get("woofCostType", kind)
    if value_named("format", cost_type) != request.format:
        remarks.append(f"{label}: woofCostType {str(cost_type)[:60]!r} does not go with its kind; it costs as {kind}")
    return PackAsset(
        **request.model_dump(include=set(PackAsset.model_fields) - {"brand_id"}),
        id=_free_id(document.get("id"), number, before, remarks),
        brand_id=brand or None,
        kind=kind,
        title=header.title,
        prompt=request.topic,
        woof_cost_type=kind,
    )


def _free_id(given: object, number: int, before: list[PackAsset], remarks: list[str]) -> str:
    """The asset's own id, or one that no asset before it has."""
    taken = {asset.id for asset in before}
    name = _name(given) or f"a{number}"
    if name not in taken:
        return name
    free = next(f"{name}-{n}" for n in range(2, MAX_ASSETS + 2) if f"{name}-{n}" not in taken)
    remarks.append(f"asset {number}: the id {name!r} is taken, and becomes {free!r}")
    return free


def _name(given: object) -> str:
    """``given`` as a short name, empty when it cannot be one."""
    name = str(given).strip()[:60] if isinstance(given, str | int) else ""
    return name if name.isprintable() else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text)
    except (ValueError, TypeError):
        return None


def asset_woofs(asset: PackAsset) -> int:
    """What one asset costs: an image and a premium video for each of its count, a carousel flat."""
    cost = _costs()[asset.kind]
    return cost.woofs * (asset.count if cost.each else 1)


def pack_woofs(pack: Pack) -> int:
    """What the pack costs in all."""
    return sum(map(asset_woofs, pack.assets))


def pack_brand(pack: Pack) -> UUID | None:
    """The brand that the pack's assets name, if any. Raises ``InvalidInput`` for several: an order has one payer."""
    named = {found for asset in pack.assets if (found := _uuid(asset.brand_id))}
    if len(named) > 1:
        raise InvalidInput("the pack's assets name several brands: order the assets of each brand apart")
    return named.pop() if named else None


def to_requests(pack: Pack) -> list[MediaRequest]:
    """One request per asset, in their order; a placeholder of a brand is none."""
    return [
        MediaRequest.model_validate(
            asset.model_dump(exclude={"id", "kind", "title", "prompt", "woof_cost_type", "brand_id"})
            | {"format": _FORMATS[asset.kind], "topic": asset.prompt, "brand_id": _uuid(asset.brand_id)}
            | ({"campaign_name": asset.title[:120].strip()} if asset.title.strip() else {})
        )
        for asset in pack.assets
    ]


def shares(total: int, n: int) -> list[int]:
    """``total`` whole units over ``n`` items as evenly as can be, the larger shares first.

    Raises ``InvalidInput`` for no items and for less than nothing.
    """
    if n < 1 or total < 0:
        raise InvalidInput(f"{total} units cannot be shared by {n} items: give one item at least, and no debt")
    share, rest = divmod(total, n)
    return [share + 1] * rest + [share] * (n - rest)
