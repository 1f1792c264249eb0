"""``maquette draft approve``, ``publish`` and ``production``: a draft's way to its readers."""

from typing import Annotated

import typer

from maquette.cli import options
from maquette.cli.output import ExitCode, Json, console, print_json


def approve(
    draft_id: options.DraftId,
    *,
    hash_: Annotated[
        str | None,
        typer.Option("--hash", metavar="HASH", help="Content hash of what you saw, 12 digits at least; asks nothing."),
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse it: publishing goes on waiting.")] = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> int:
    """Approve what a draft is now, or refuse it; an approval ends with the next change."""
    from maquette.cli.draft_publishing import print_look, whole_hash
    from maquette.cli.draft_reports import print_report, read_draft, report, whole
    from maquette.cli.opening import reading
    from maquette.cli.questions import require_yes
    from maquette.drafts.models import Approval
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        seen = whole(opened, draft_id)
        if hash_ is None:
            print_look(seen, console(stderr=as_json))
            require_yes("Refuse this?" if reject else "Approve this?", unless="--hash")
        decision = Approval(content_hash=whole_hash(seen, hash_), approved=not reject, note=note)
        opened.drafts.approve(draft_id, decision)
        found = report(opened, read_draft(opened, draft_id))
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), opened.run_note)
    return ExitCode.OK


def publish(draft_id: options.DraftId, *, dry_run: options.DryRun = False, as_json: Json = False) -> int:
    """Bring a draft to production, whole or not at all, and say what that changed there."""
    from maquette.cli.draft_publishing import PublishReport, print_publication
    from maquette.cli.opening import reading
    from maquette.drafts import publication
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        if dry_run:
            changes = publication.plan(opened.drafts, draft_id)
            found = PublishReport(draft_id=draft_id, dry_run=True, changes=changes, count=len(changes))
        else:
            published = publication.publish(opened.drafts, draft_id)
            found = PublishReport(draft_id=draft_id, dry_run=False, count=len(published.changes), **dict(published))
    if as_json:
        print_json(found)
    else:
        print_publication(found, console())
    return ExitCode.OK


def production(*, dry_run: options.DryRun = False, as_json: Json = False) -> int:
    """Make the tables and indexes of production that are missing; what is there stays."""
    from maquette.cli.opening import ordering
    from maquette.publishing.target import production_from_settings
    from maquette.settings import get_settings

    with ordering(get_settings(), with_work=False) as opened:
        target = production_from_settings(opened.settings, opened.database)
        try:
            statements = target.prepare(dry_run=dry_run)
        finally:
            target.dispose()
    if as_json:
        print_json({"dry_run": dry_run, "statements": list(statements), "count": len(statements)})
        return ExitCode.OK
    for statement in statements:
        console().print(f"{statement};", markup=False, soft_wrap=True)
    told = "would be run" if dry_run else "were run"
    verdict = f"{len(statements)} statements {told}." if statements else "Nothing is missing."
    console(stderr=bool(statements)).print(verdict)
    return ExitCode.OK
