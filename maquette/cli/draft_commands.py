"""``maquette draft …``: make an illustrated universe of a theme, look at it, change it.

The commands that bring a draft to production, and those that move drafts in and out, are in modules of their own.
"""

from typing import Annotated

import typer

from maquette.cli import draft_moving, draft_releasing, options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(
    help="Turn themes into illustrated universes, and publish them.", epilog=EPILOG, no_args_is_help=False
)


@app.command(epilog=EPILOG)
def create(
    theme: Annotated[str, typer.Argument(metavar="THEME", help="What it is about.", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="What it is called.  \\[default: the theme]")] = None,
    image_prompt: Annotated[
        str | None,
        typer.Option(help="Template of every picture, with {concept} and {theme}.  \\[default: the theme's]"),
    ] = None,
    video_prompt: Annotated[
        str | None, typer.Option(help="Template of every loop, with {concept} and {theme}.  \\[default: the theme's]")
    ] = None,
    objects_prompt: Annotated[
        str | None, typer.Option(help="How its concepts are to be chosen.  \\[default: the theme's]")
    ] = None,
    music_prompt: Annotated[str | None, typer.Option(help="Style of its songs.  \\[default: the theme's]")] = None,
    description: Annotated[str | None, typer.Option(help="What the theme means, in a sentence.")] = None,
    color: Annotated[str | None, typer.Option(metavar="#RRGGBB", help="Background colour.")] = None,
    brand: Annotated[
        str | None,
        typer.Option(metavar="ID|NAME", help="Whose budget pays; without one the draft takes no budget."),
    ] = None,
    seed: options.Seed = 0,
    approval: Annotated[
        bool, typer.Option("--approval/--no-approval", help="Whether publishing waits for an approval.")
    ] = False,
    generate: Annotated[
        int | None, typer.Option(min=1, max=50, metavar="N", help="Make so many assets at once, with songs.")
    ] = None,
    wait: options.Wait = True,
    as_json: Json = False,
) -> int:
    """Make a new draft of a theme; with --generate also what belongs to it."""
    from maquette.cli.draft_orders import create_and_generate, new_draft
    from maquette.cli.draft_reports import print_report, read_draft, report
    from maquette.cli.opening import ordering
    from maquette.settings import get_settings

    settings = get_settings()
    new = new_draft(
        {
            "name": theme if name is None else name,
            "theme": theme,
            "description": description,
            "background_color": color,
            "seed": seed,
            "require_approval": approval,
        },
        {"image": image_prompt, "video": video_prompt, "objects": objects_prompt, "music": music_prompt},
    )
    if generate is not None:
        return create_and_generate(new, generate, settings, brand=brand, wait=wait, as_json=as_json)
    with ordering(settings, with_work=False) as opened:
        made = opened.drafts.create(new.model_copy(update={"brand_id": opened.brand_id(brand)}))
        found = report(opened, read_draft(opened, made.draft_id))
    if as_json:
        print_json(found)
    else:
        print_report(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def generate(
    draft_id: options.DraftId,
    *,
    assets: Annotated[
        int | None, typer.Option(min=1, max=50, help="How many.  \\[default: as many as it has, 10 of a new one]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make anew what is there; it is kept as a version.")] = False,
    only: Annotated[
        list[options.DraftPartName] | None,
        typer.Option(metavar="PART", help="Only image, video or music; repeat it for several."),
    ] = None,
    language: Annotated[
        list[options.SongLanguageName] | None,
        typer.Option(metavar="CODE", help="Of songs: only fr, en, es, it or de; repeat it.  \\[default: all five]"),
    ] = None,
    idempotency_key: options.IdempotencyKey = None,
    estimate: options.Estimate = False,
    wait: options.Wait = True,
    as_json: Json = False,
) -> int:
    """Make what a draft still lacks: concepts, pictures, loops, songs; what is there is not paid again."""
    from maquette.cli.draft_orders import generate as generate_draft
    from maquette.settings import get_settings

    return generate_draft(
        draft_id,
        get_settings(),
        assets=assets,
        force=force,
        parts=None if only is None else [part.value for part in only],
        languages=None if language is None else [each.value for each in language],
        key=idempotency_key,
        estimate=estimate,
        wait=wait,
        as_json=as_json,
    )


@app.command(epilog=EPILOG)
def status(draft_id: options.DraftId, *, as_json: Json = False) -> int:
    """Where the making of a draft stands, and what to do next."""
    from maquette.cli.draft_reports import print_report, read_draft, report
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        found = report(opened, read_draft(opened, draft_id))
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), opened.run_note)
    return ExitCode.OK


@app.command("list", epilog=EPILOG)
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, those changed last first.")] = 20,
    as_json: Json = False,
) -> int:
    """The drafts that were changed last."""
    from maquette.cli.draft_reports import print_list
    from maquette.cli.opening import has_database, reading
    from maquette.drafts.models import ListedDraft
    from maquette.settings import get_settings

    settings = get_settings()
    found: list[ListedDraft] = []
    if has_database(settings):
        with reading(settings) as opened:
            found = opened.drafts.list(limit=limit)
    if as_json:
        print_json({"drafts": [draft.model_dump(mode="json") for draft in found], "count": len(found)})
    elif found:
        print_list(found, console())
    else:
        console().print(
            f"No drafts in {settings.home.absolute()} yet: `maquette draft create THEME` makes one.",
            markup=False,
            soft_wrap=True,
        )
    return ExitCode.OK


@app.command(epilog=EPILOG)
def show(draft_id: options.DraftId, *, as_json: Json = False) -> int:
    """A draft whole: its assets with names, prompts, files and hashes, and its songs."""
    from maquette.cli.draft_pages import print_whole
    from maquette.cli.draft_reports import whole
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        found = whole(opened, draft_id)
    if as_json:
        print_json(found)
    else:
        print_whole(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def regenerate(
    draft_id: options.DraftId,
    asset: options.DraftAsset,
    *,
    image_prompt: Annotated[str | None, typer.Option(help="New prompt of the picture.")] = None,
    video_prompt: Annotated[str | None, typer.Option(help="New prompt of the loop.")] = None,
    no_image: Annotated[bool, typer.Option("--no-image", help="Keep the picture.")] = False,
    no_video: Annotated[bool, typer.Option("--no-video", help="Keep the loop.")] = False,
    wait: options.Wait = True,
    as_json: Json = False,
) -> int:
    """Make one asset anew, with new prompts or as another take; what it was is kept as a version."""
    from maquette.cli.draft_orders import regenerate as regenerate_asset
    from maquette.settings import get_settings

    return regenerate_asset(
        draft_id,
        asset,
        get_settings(),
        image=not no_image,
        video=not no_video,
        prompts=(image_prompt, video_prompt),
        wait=wait,
        as_json=as_json,
    )


@app.command(epilog=EPILOG)
def versions(draft_id: options.DraftId, asset: options.DraftAsset, *, as_json: Json = False) -> int:
    """What an asset is, and what it was before each change."""
    from maquette.cli.draft_pages import print_versions
    from maquette.cli.draft_reports import AssetVersions
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        found = AssetVersions(
            **dict(opened.drafts.asset(draft_id, asset)),
            draft_id=draft_id,
            versions=opened.drafts.versions(draft_id, asset),
        )
    if as_json:
        print_json(found)
    else:
        print_versions(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def restore(
    draft_id: options.DraftId,
    asset: options.DraftAsset,
    version: Annotated[
        int, typer.Argument(min=1, metavar="VERSION", help="Which one, from `draft versions`.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> int:
    """Bring an asset's earlier version back, at once; what is there now is kept as a version too."""
    from maquette.cli.draft_pages import print_asset
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        found = opened.drafts.restore(draft_id, asset, version)
    if as_json:
        print_json({"draft_id": draft_id, **found.model_dump(mode="json")})
    else:
        print_asset(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def delete(draft_id: options.DraftId, *, yes: options.Yes = False, as_json: Json = False) -> int:
    """Forget a draft and its files; what was published of it stays published."""
    from maquette.cli.draft_reports import what_is_there, whole
    from maquette.cli.opening import reading
    from maquette.cli.questions import require_yes
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        if not yes:
            found = whole(opened, draft_id)
            require_yes(f"Delete {found.name} ({what_is_there(found)})?", unless="--yes")
        opened.drafts.delete(draft_id)
    if as_json:
        print_json({"draft_id": draft_id, "deleted": True})
    else:
        console().print(f"Draft {draft_id} is deleted.")
    return ExitCode.OK


app.command(epilog=EPILOG)(draft_releasing.approve)
app.command(epilog=EPILOG)(draft_releasing.publish)
app.command(epilog=EPILOG)(draft_releasing.production)
app.command("import", epilog=EPILOG)(draft_moving.import_)
app.command(epilog=EPILOG)(draft_moving.export)
app.command("migrate-legacy", epilog=EPILOG)(draft_moving.migrate_legacy)
