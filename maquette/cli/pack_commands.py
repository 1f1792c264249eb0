"""``maquette pack …``: order several things that a chat proposed together."""

from typing import Annotated

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Order packs.", epilog=EPILOG, no_args_is_help=False)


@app.callback()
def _group() -> None:
    """A group of one command: its name is to be said."""


@app.command(epilog=EPILOG)
def order(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            metavar="FILE", help="The pack's JSON, or a chat's answer that holds it; - is stdin.", show_default=False
        ),
    ],
    *,
    brand: options.Brand = None,
    idempotency_key: options.IdempotencyKey = None,
    estimate: options.Estimate = False,
    wait: options.Wait = True,
    as_json: Json = False,
) -> int:
    """Order all of a pack, or nothing of it; broken JSON is mended where that has one meaning."""
    from dataclasses import replace

    from maquette.cli import following
    from maquette.cli.files import read_text
    from maquette.cli.opening import ordering
    from maquette.cli.order_reports import ORDER, PackEstimate, print_estimate
    from maquette.intake.packs import parse_pack
    from maquette.settings import get_settings

    settings = get_settings()
    pack, remarks = parse_pack(read_text(file))
    for remark in remarks:
        console(stderr=True).print(f"note: {remark}", markup=False, soft_wrap=True)
    if not estimate:
        told = replace(
            ORDER, report=lambda opened, found: ORDER.report(opened, found).model_copy(update={"remarks": remarks})
        )
        return following.order(
            lambda opened: str(opened.intake.pack(pack, brand_id=opened.brand_id(brand), key=idempotency_key).order_id),
            told,
            settings,
            wait=wait,
            as_json=as_json,
        )
    with ordering(settings, with_work=False) as opened:
        payer = opened.brand(brand)
        found = opened.intake.estimate_pack(pack, brand_id=payer.id)
    if as_json:
        print_json(PackEstimate(**dict(found), remarks=remarks))
    else:
        print_estimate(found, payer.name, console())
    return ExitCode.OK
