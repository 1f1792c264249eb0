"""Fields of the forms that the Prefect UI shows for a deployment."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field


def form_field(title: str, description: str, **limits: Any) -> Any:
    """A flow's parameter as the form shows it, with pydantic's limits (``ge``, ``max_length``, …).

    Prefect 3.8 puts the bare name over a field's title and drops its description; the schema's extra survives.
    """
    return Field(json_schema_extra={"title": title, "description": description}, **limits)


BrandField = Annotated[UUID | None, form_field("Brand", "Whose budget pays; empty takes the default brand.")]
JobField = Annotated[UUID | None, form_field("Job", "Filled in by the dispatcher; leave it empty.")]
