"""Orders of images and carousels, and what they would take: what their commands have in common."""

from collections.abc import Mapping

from maquette.cli.following import order
from maquette.cli.opening import ordering
from maquette.cli.order_reports import ORDER, print_estimate
from maquette.cli.output import ExitCode, console, print_json
from maquette.intake.requests import MediaRequest, checked
from maquette.settings import get_settings


def order_media(
    fields: Mapping[str, object], *, brand: str | None, key: str | None, estimate: bool, wait: bool, as_json: bool
) -> int:
    """Order what ``fields`` of a ``MediaRequest`` say, or say what it would take. Fields without a value are left out.

    Raises ``InvalidInput``, and as ``following.order`` does.
    """
    settings = get_settings()
    request = checked(MediaRequest, {name: value for name, value in fields.items() if value not in (None, "")})
    if not estimate:
        return order(
            lambda opened: str(
                opened.intake.order(request.model_copy(update={"brand_id": opened.brand_id(brand)}), key=key).order_id
            ),
            ORDER,
            settings,
            wait=wait,
            as_json=as_json,
        )
    with ordering(settings, with_work=False) as opened:
        payer = opened.brand(brand)
        found = opened.intake.estimate(request.model_copy(update={"brand_id": payer.id}))
    if as_json:
        print_json(found)
    else:
        print_estimate(found, payer.name, console())
    return ExitCode.OK
