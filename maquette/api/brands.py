"""Brands: whose budget is spent, and how what is made for them looks."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel
from sqlmodel import Session

from maquette.api import examples
from maquette.api.bodies import CleanBody
from maquette.api.errors import api_errors
from maquette.api.orders import TheIntake
from maquette.api.shapes import example
from maquette.brands import service as brands
from maquette.brands.models import Brand, BrandKit
from maquette.brands.service import BrandChange, NewBrand
from maquette.images.service import require_references

router = APIRouter(prefix="/api/brands", tags=["brands"])

BrandId = Annotated[UUID, Path(description="The brand's id.", examples=[examples.BRAND_ID])]


class BrandDocument(BaseModel):
    """A brand. The default one pays for orders that name none."""

    id: UUID
    name: str
    plan: str
    is_default: bool
    kit: BrandKit
    created_at: datetime
    updated_at: datetime


class BrandList(BaseModel):
    """All brands, the default one first."""

    items: list[BrandDocument]


@router.get("", summary="List brands", responses=example(examples.BRANDS))
def list_all(intake: TheIntake) -> BrandList:
    """The default brand first, then by name."""
    with intake.database.begin() as session:
        return BrandList(items=[_document(brand) for brand in brands.all_brands(session)])


@router.post(
    "",
    status_code=201,
    summary="Make a brand",
    dependencies=[CleanBody],
    responses=example(examples.BRAND, status=201) | api_errors(400, 404, missing="asset_not_found"),
)
def create(new: Annotated[NewBrand, Body(examples=[examples.BRAND_BODY])], intake: TheIntake) -> BrandDocument:
    """A brand with its plan and its kit. Older spellings of a kit are understood."""
    with intake.database.begin() as session:
        return _checked(session, brands.create(session, new))


@router.get(
    "/{brand_id}",
    summary="Read a brand",
    responses=example(examples.BRAND) | api_errors(404, missing="brand_not_found"),
)
def read(brand_id: BrandId, intake: TheIntake) -> BrandDocument:
    """The brand with its kit."""
    with intake.database.begin() as session:
        return _document(brands.get(session, brand_id))


@router.patch(
    "/{brand_id}",
    summary="Change a brand",
    dependencies=[CleanBody],
    responses=example(examples.BRAND | {"plan": "studio"}) | api_errors(400, 404, missing="brand_not_found"),
)
def change(
    brand_id: BrandId, changed: Annotated[BrandChange, Body(examples=[examples.BRAND_CHANGE])], intake: TheIntake
) -> BrandDocument:
    """Absent fields stay; ``kit`` is replaced whole. What is under way keeps the look that it was ordered with."""
    with intake.database.begin() as session:
        return _checked(session, brands.change(session, brand_id, changed))


def _checked(session: Session, brand: Brand) -> BrandDocument:
    """Raises ``NotFound`` and ``InvalidInput`` for a logo that is no picture of the brand's."""
    document = _document(brand)
    if document.kit.logo_asset_id is not None:
        require_references(session, (document.kit.logo_asset_id,), brand_id=brand.id)
    return document


def _document(brand: Brand) -> BrandDocument:
    return BrandDocument.model_validate(brand, from_attributes=True)
