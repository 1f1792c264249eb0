"""``maquette orders …``: what was ordered, and what became of it."""

from typing import Annotated, Literal

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Look at orders and at the queue, cancel, order again.", epilog=EPILOG, no_args_is_help=False)

StatusName = Literal["pending", "processing", "completed", "partial", "failed", "cancelled"]

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")]


@app.command("list", epilog=EPILOG)
def list_(
    *,
    brand: options.OfBrand = None,
    status: Annotated[StatusName | None, typer.Option(help="Only orders that stand so.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> int:
    """The newest orders."""
    from maquette.cli.opening import has_database, reading
    from maquette.cli.order_reports import print_list
    from maquette.orders.documents import ListedOrder, list_orders
    from maquette.settings import get_settings

    settings = get_settings()
    found: list[ListedOrder] = []
    if has_database(settings):
        with reading(settings) as opened:
            brand_id = opened.brand_id(brand)
            with opened.database.begin() as session:
                found = list_orders(session, brand_id=brand_id, status=status, limit=limit)
    if as_json:
        print_json({"orders": [order.model_dump(mode="json") for order in found], "count": len(found)})
    elif found:
        print_list(found, console())
    else:
        console().print("No orders.")
    return ExitCode.OK


@app.command(epilog=EPILOG)
def show(order_id: options.OrderId, *, wait: options.Wait = False, as_json: Json = False) -> int:
    """An order with its items, files and costs."""
    from maquette.cli.following import order
    from maquette.cli.opening import reading
    from maquette.cli.order_reports import ORDER, print_items, print_report, read, report
    from maquette.settings import get_settings

    settings = get_settings()
    if wait:
        return order(lambda _: str(order_id), ORDER, settings, wait=True, as_json=as_json)
    with reading(settings, code="order_not_found") as opened:
        found = report(opened, read(opened, str(order_id)))
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), opened.run_note)
        print_items(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def cancel(order_id: options.OrderId, *, as_json: Json = False) -> int:
    """End what is still open of an order, at once; it is refunded, and what was delivered stays."""
    from maquette.cli.opening import reading
    from maquette.cli.order_reports import print_report, read, report
    from maquette.settings import get_settings

    with reading(get_settings(), code="order_not_found") as opened:
        opened.intake.cancel(order_id)
        found = report(opened, read(opened, str(order_id)))
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), opened.run_note)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def retry(order_id: options.OrderId, *, wait: options.Wait = True, as_json: Json = False) -> int:
    """Order again what an ended order did not deliver; what is there stays and is not paid again."""
    from maquette.cli.following import order
    from maquette.cli.order_reports import ORDER
    from maquette.settings import get_settings

    return order(
        lambda opened: str(opened.intake.retry(order_id).order_id), ORDER, get_settings(), wait=wait, as_json=as_json
    )


@app.command("dead-letters", epilog=EPILOG)
def dead_letters_(*, brand: options.OfBrand = None, limit: Limit = 20, as_json: Json = False) -> int:
    """Jobs that were given up and not ordered again, with the reasons."""
    from maquette.cli.opening import has_database, reading
    from maquette.cli.queue_reports import print_dead_letters
    from maquette.orders.documents import DeadLetter, dead_letters
    from maquette.settings import get_settings

    settings = get_settings()
    found: list[DeadLetter] = []
    if has_database(settings):
        with reading(settings) as opened:
            brand_id = opened.brand_id(brand)
            with opened.database.begin() as session:
                found = dead_letters(session, brand_id=brand_id, limit=limit)
    if as_json:
        print_json({"dead_letters": [letter.model_dump(mode="json") for letter in found], "count": len(found)})
    elif found:
        print_dead_letters(found, console())
    else:
        console().print("No dead letters.")
    return ExitCode.OK


@app.command(epilog=EPILOG)
def queue(*, brand: options.OfBrand = None, as_json: Json = False) -> int:
    """How the queue stands: what waits, what runs, and which providers are out of service."""
    from maquette.cli.opening import reading
    from maquette.cli.queue_reports import print_queue
    from maquette.orders.documents import queue_document
    from maquette.settings import get_settings

    with reading(get_settings()) as opened:
        brand_id = opened.brand_id(brand)
        with opened.database.begin() as session:
            found = queue_document(session, brand_id=brand_id)
    if as_json:
        print_json(found)
    else:
        print_queue(found, console())
    return ExitCode.OK
