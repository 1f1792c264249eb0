"""Brands: make, read, change. In the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from maquette.brands.models import Brand, BrandKit
from maquette.errors import NotFound
from maquette.quota import rules as quota


class NewBrand(BaseModel):
    """What a brand is made with."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=120)
    plan: str = Field("starter", description="starter, pro, studio or admin.")
    kit: BrandKit = Field(default_factory=BrandKit)


class BrandChange(BaseModel):
    """What a brand is changed to; absent fields stay. ``kit`` is replaced whole."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: str | None = Field(None, min_length=1, max_length=120)
    plan: str | None = None
    kit: BrandKit | None = None


def create(session: Session, new: NewBrand) -> Brand:
    """A new brand. Raises ``InvalidInput`` for an unknown plan."""
    brand = Brand(name=new.name, plan=quota.plan(new.plan).name, kit=new.kit.model_dump(mode="json"))
    session.add(brand)
    session.flush()
    return brand


def change(session: Session, brand_id: UUID, changed: BrandChange) -> Brand:
    """Change a brand; a smaller plan holds from the next order on. Raises ``NotFound``, ``InvalidInput``."""
    brand = get(session, brand_id)
    if changed.name is not None:
        brand.name = changed.name
    if changed.plan is not None:
        brand.plan = quota.plan(changed.plan).name
    if changed.kit is not None:
        brand.kit = changed.kit.model_dump(mode="json")
    session.flush()
    return brand


def get(session: Session, brand_id: UUID | None) -> Brand:
    """The brand, or the default one where none is given. Raises ``NotFound`` (``brand_not_found``)."""
    found = select(Brand).where(col(Brand.is_default) if brand_id is None else Brand.id == brand_id)
    brand = session.exec(found).first()
    if brand is None:
        raise NotFound(f"there is no brand {brand_id or '(default)'}", code="brand_not_found")
    return brand


def all_brands(session: Session) -> Sequence[Brand]:
    """The default brand first, then by name."""
    return session.exec(select(Brand).order_by(col(Brand.is_default).desc(), col(Brand.name), col(Brand.id))).all()
