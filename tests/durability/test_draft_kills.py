"""Drafts under SIGKILL, and a publication that waits for an approval: all is made, each part is paid once."""

from functools import partial
from uuid import UUID

import pytest

from maquette.drafts import publication
from maquette.drafts.models import Approval, AssetChange, Making, NewDraft
from maquette.journal import service as journal
from maquette.quota import service as quota
from tests.rehearsing import Rehearsal, until

pytestmark = pytest.mark.slow
POINTS = ["after-intent", "after-submit", "while-waiting", "after-fetch", "during-normalising", "before-settle"]


def made(rehearsal: Rehearsal, name: str, *, approval: bool = False) -> str:
    """A draft of two assets, as it was made."""
    draft_id = rehearsal.drafts.create(NewDraft(name=name, theme="farm", require_approval=approval)).draft_id
    rehearsal.intake.generate_draft(draft_id, Making(num_assets=2, languages=("fr",)))
    until(lambda: rehearsal.drafts.status(draft_id).status == "completed", seconds=120, what=draft_id)
    return draft_id


def run_publication(rehearsal: Rehearsal, draft_id: str) -> UUID:
    """Start the deployment by hand; its run."""
    with rehearsal.prefect() as client:
        deployment = client.read_deployment_by_name("publish-draft/publish-draft")
        return client.create_flow_run_from_deployment(deployment.id, parameters={"draft_id": draft_id}).id


def state_of(rehearsal: Rehearsal, run_id: UUID) -> str:
    with rehearsal.prefect() as client:
        state = client.read_flow_run(run_id).state
    return (state.name if state else None) or ""


def test_a_draft_survives_a_kill_at_every_named_point(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at=POINTS[0])
    draft_id = rehearsal.drafts.create(NewDraft(name="Jungle", theme="jungle")).draft_id
    accepted = rehearsal.intake.generate_draft(draft_id, Making(num_assets=3, languages=("fr", "de")))
    for point, following in zip(POINTS, [*POINTS[1:], None], strict=True):
        until(partial(rehearsal.reached, point), what=point)
        rehearsal.kill_worker(then_crash_at=following)
    until(lambda: rehearsal.drafts.status(draft_id).status == "completed", seconds=180, what=draft_id)
    status = rehearsal.drafts.status(draft_id)
    assert (status.generated_assets, status.failures) == (3, [])
    assert accepted.order_id is not None
    order = rehearsal.order(accepted.order_id)
    assert (order.status, order.completed) == ("completed", 3 + 3 + 2)
    assert order.jobs[0].dispatches >= len(POINTS) + 1
    for kind, numbers in (("-images", [1, 2, 3]), ("-loops", [1, 2, 3]), ("-music", [1, 2])):
        assert sorted(int(str(line["number"])) for line in rehearsal.paid(kind) if line["operation_id"]) == numbers
    paid = sum(
        int(str(line["cost_micros"])) for kind in ("-images", "-loops", "-music") for line in rehearsal.paid(kind)
    )
    with rehearsal.stack.database.begin() as session:
        assert journal.total_micros(session, f"draft_{draft_id}") == paid
        assert quota.audit(session) == []
    folder = rehearsal.drafts.folder_of(draft_id)
    assert len(list((folder / "assets").iterdir())) == 3 * 3 + 2
    assert list(folder.rglob("*.part")) == []


def test_a_publication_waits_for_the_form_and_asks_again_after_a_change(rehearsal: Rehearsal) -> None:
    draft_id = made(rehearsal, "Ferme du matin", approval=True)
    run_id = run_publication(rehearsal, draft_id)
    until(lambda: state_of(rehearsal, run_id) == "Suspended", what="the first question")
    # Changed while somebody looked at it: their answer is for something else.
    rehearsal.drafts.change_asset(draft_id, 0, AssetChange(titles={"fr": "la vache"}))
    with rehearsal.prefect() as client:
        client.resume_flow_run(run_id, run_input={"approved": True, "note": ""})
    until(lambda: state_of(rehearsal, run_id) in ("Resuming", "Pending", "Running"), what="the run that goes on")
    until(lambda: state_of(rehearsal, run_id) == "Suspended", what="the second question")
    assert rehearsal.drafts.get(draft_id).published_at is None
    with rehearsal.prefect() as client:
        client.resume_flow_run(run_id, run_input={"approved": True, "note": "now"})
    until(lambda: state_of(rehearsal, run_id) == "Completed", what="the publication")
    draft = rehearsal.drafts.get(draft_id)
    assert (draft.status, draft.approved, draft.changed_since_publication) == ("published", True, False)
    assert publication.plan(rehearsal.drafts, draft_id) == []


def test_an_approval_elsewhere_wakes_the_run_and_a_refusal_ends_it(rehearsal: Rehearsal) -> None:
    draft_id = made(rehearsal, "Ferme du soir", approval=True)
    run_id = run_publication(rehearsal, draft_id)
    until(lambda: state_of(rehearsal, run_id) == "Suspended", what="the question")
    seen = rehearsal.drafts.get(draft_id).content_hash
    rehearsal.drafts.approve(draft_id, Approval(content_hash=seen))
    until(lambda: state_of(rehearsal, run_id) == "Completed", what="the publication")
    assert rehearsal.drafts.get(draft_id).status == "published"

    other = made(rehearsal, "Ferme de nuit", approval=True)
    run_id = run_publication(rehearsal, other)
    until(lambda: state_of(rehearsal, run_id) == "Suspended", what="the question")
    with rehearsal.prefect() as client:
        client.resume_flow_run(run_id, run_input={"approved": False, "note": "too dark"})
    until(lambda: state_of(rehearsal, run_id) == "Cancelled", what="the end")
    draft = rehearsal.drafts.get(other)
    assert (draft.status, draft.univers_id, draft.approved) == ("completed", None, False)
