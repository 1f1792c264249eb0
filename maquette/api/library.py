"""The library: pages of what was made, one asset with all that it came from, its file, uploads."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from maquette.api import examples
from maquette.api.bodies import Content
from maquette.api.errors import Refusal, api_errors
from maquette.api.files import Download, StoredFileResponse, binary, file_name, get_and_head
from maquette.api.orders import AtCursor, Limit, OfBrand, TheIntake
from maquette.api.shapes import absolute, example
from maquette.brands import service as brands
from maquette.errors import NotFound
from maquette.library import listing
from maquette.library import service as library
from maquette.library.listing import AssetDocument, ListedAsset, ListedEntry, Page, Type
from maquette.videos.rules import clean_text

router = APIRouter(prefix="/api/library", tags=["library"])

PICTURES = ("image/png", "image/jpeg", "image/webp")

AssetId = Annotated[UUID, Path(description="The asset's id.", examples=[examples.ASSET_ID])]


@router.get("", summary="List what was made", responses=example(examples.LIBRARY) | api_errors(400))
def list_assets(
    request: Request,
    intake: TheIntake,
    brand_id: OfBrand = None,
    order_id: Annotated[
        UUID | None, Query(alias="order", description="Of this order alone.", examples=[examples.ORDER_ID])
    ] = None,
    type_: Annotated[
        Type | None,
        Query(alias="type", description="Of this type alone; references are uploads.", examples=["carousel"]),
    ] = None,
    q: Annotated[
        str, Query(max_length=500, description="Words of the title, as for a search engine.", examples=["café -thé"])
    ] = "",
    cursor: AtCursor = None,
    limit: Limit = 50,
) -> Page:
    """The newest first, page by page; a carousel carries its slides in order."""
    search = clean_text(q, what="q")
    with intake.database.begin() as session:
        page = listing.list_assets(
            session,
            brand_id=brand_id,
            order_id=order_id,
            type_=type_,
            search=search,
            cursor=cursor,
            limit=limit,
        )
    for entry in page.items:
        _address(request, entry)
    return page


@router.post(
    "",
    status_code=201,
    summary="Upload a picture",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in PICTURES},
        }
    },
    responses=example(examples.ASSET | {"type": "reference"}, status=201)
    | api_errors(400, 404, 413, 415, missing="brand_not_found"),
)
def upload(
    request: Request,
    content: Content,
    intake: TheIntake,
    brand_id: Annotated[
        UUID | None, Query(alias="brand", description="Whose; else the default one's.", examples=[examples.BRAND_ID])
    ] = None,
    title: Annotated[
        str, Query(max_length=200, description="What it is called in the library.", examples=["Logo"])
    ] = "",
) -> AssetDocument:
    """Keep a picture of the brand's own, for orders to refer to and as its logo, by its id."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in PICTURES:
        raise Refusal("media_type", code="unsupported_media_type", accepted=", ".join(PICTURES))
    name = clean_text(title, what="title")
    with intake.database.begin() as session:
        brand = brands.get(session, brand_id)
    document = listing.upload(intake.database, intake.store, content, brand_id=brand.id, title=name)
    _address(request, document)
    return document


@router.get(
    "/{asset_id}",
    summary="Read an asset",
    responses=example(examples.ASSET) | api_errors(404, missing="asset_not_found"),
)
def read(request: Request, asset_id: AssetId, intake: TheIntake) -> AssetDocument:
    """The asset with its prompt, its provider and model, what it was made from, its call and what that cost."""
    with intake.database.begin() as session:
        document = listing.asset_document(session, asset_id)
    _address(request, document)
    return document


@router.delete(
    "/{asset_id}",
    status_code=204,
    summary="Take an asset out of the library",
    responses=api_errors(404, 409, missing="asset_not_found"),
)
def remove(asset_id: AssetId, intake: TheIntake) -> Response:
    """It is listed no more, a carousel with its slides. What it cost stays in the books."""
    with intake.database.begin() as session:
        listing.remove(session, asset_id)
    return Response(status_code=204)


@get_and_head(
    router,
    "/{asset_id}/file",
    summary="An asset's file",
    responses=binary(*PICTURES, "video/mp4", "application/pdf", errors=api_errors(404, 416, missing="asset_not_found")),
)
def file(asset_id: AssetId, intake: TheIntake, download: Download = False) -> Response:
    """The file, with byte ranges."""
    with intake.database.begin() as session:
        asset = library.get(session, asset_id)
    if asset.expired_at is not None:
        raise NotFound(f"the file of {asset_id} is no longer kept", code="asset_not_found")
    path = intake.store.path(asset.key)
    number = "" if asset.slide_index is None else f" {asset.slide_index + 1}"
    return StoredFileResponse(
        path,
        media_type=asset.media_type,
        sha256=asset.sha256,
        name=file_name(f"{asset.title[:50]}{number}", fallback=str(asset_id), suffix=path.suffix),
        download=download,
    )


def _address(request: Request, entry: ListedEntry) -> None:
    """Let the entry's addresses be whole, as this client reaches them."""
    files: list[ListedAsset] = [entry, *(entry.slides or ())]
    for each in files:
        each.file_url = str(absolute(request, each.file_url))
    entry.thumbnail_url = absolute(request, entry.thumbnail_url)
