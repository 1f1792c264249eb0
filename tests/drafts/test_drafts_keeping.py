"""Drafts after processes were killed and disks were full: folders, publications, runs that wait, kept files."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import select

from maquette.drafts import publication, repository
from maquette.drafts.changes import touch
from maquette.drafts.documents import content_hash, whole
from maquette.drafts.keeping import settle_publications
from maquette.drafts.models import Approval, DraftChange, Regeneration, SongChange
from maquette.drafts.tables import DraftStatus
from maquette.errors import Conflict, NotFound
from maquette.launch.flow_runs import RunState
from maquette.launch.reconciler import Reconciler
from maquette.launch.retention import expire_media, forget_history
from maquette.library import service as library
from maquette.publishing.models import Published
from maquette.publishing.service import Publisher, publisher_from_settings
from maquette.publishing.tables import Publication, PublicationState
from tests.drafts.house import PICTURES, TWO, House
from tests.launch.prefect import Prefect


def reconciler(house: House, prefect: Prefect | None = None) -> Reconciler:
    return Reconciler(house.database, prefect or Prefect(), house.drafts.store, house.settings)


def published(house: House, name: str, **fields: object) -> str:
    draft_id = house.finished(name, PICTURES, **fields)
    publication.publish(house.drafts, draft_id)
    assert house.status(draft_id).status == "published"
    return draft_id


def publish_and_die(house: House, draft_id: str) -> Published:
    """As ``publication.publish`` does, until the process is killed: production is changed, the draft knows nothing."""
    with house.database.begin() as session:
        draft = repository.get_draft(session, draft_id, lock=True)
        found = whole(session, draft)
        publication._tell_publishing(session, found)
    publisher = publisher_from_settings(house.settings, house.database)
    done = publisher.publish(
        publication.universe_of(found),
        publication.universe_files(found, house.drafts.store),
        subject=f"draft_{draft_id}",
        content_hash=content_hash(found),
    )
    publisher.close()
    return done


def long_ago(house: House, draft_id: str) -> None:
    with house.database.begin() as session:
        session.connection().exec_driver_sql(
            "UPDATE drafts SET updated_at = now() - interval '1 hour' WHERE id = %s", (draft_id,)
        )


def occupy(folder: Path) -> None:
    """Let nothing be written there."""
    shutil.rmtree(folder)
    folder.write_text("in the way")


def test_a_folder_that_cannot_be_written_takes_nothing_back(house: House) -> None:
    draft_id = house.new()
    folder = house.drafts.folder_of(draft_id)
    occupy(folder)
    assert house.drafts.change(draft_id, DraftChange(description="d")).description == "d"
    ordered = house.generate(draft_id)  # placed, made, and every part delivered
    assert (ordered.items, house.status(draft_id).status) == (4, "completed")
    folder.unlink()
    assert reconciler(house).reconcile().drafts == 1
    assert json.loads((folder / "metadata.json").read_text())["status"] == "completed"


def test_a_folder_in_trouble_stops_no_repairs(house: House) -> None:
    stuck, other = house.new(), house.new()
    occupy(house.drafts.folder_of(stuck))
    for draft_id in (stuck, other):
        with house.database.begin() as session:  # a change whose process died before it could write
            touch(session, repository.get_draft(session, draft_id, lock=True))
    assert reconciler(house).reconcile().drafts == 1
    with house.database.begin() as session:
        assert repository.stale_folders(session) == [stuck]


def test_a_bucket_that_is_not_configured_stops_no_repairs(house: House) -> None:
    draft_id = house.finished("Seau", PICTURES)
    with house.database.begin() as session:
        publication._tell_publishing(session, whole(session, repository.get_draft(session, draft_id)))
    broken = house.settings.model_copy(update={"bucket": "supabase", "supabase_url": None})
    Reconciler(house.database, Prefect(), house.drafts.store, broken).reconcile()
    assert house.status(draft_id).status == "publishing"


def test_a_process_killed_after_the_commit_leaves_a_published_draft(house: House) -> None:
    draft_id = house.finished("Après coup", PICTURES)
    done = publish_and_die(house, draft_id)
    long_ago(house, draft_id)
    assert settle_publications(house.database, house.drafts.store, house.settings) >= 1
    draft = house.drafts.get(draft_id)
    assert (draft.status, draft.univers_id, draft.changed_since_publication) == ("published", done.univers_id, False)
    assert draft.published_at == done.published_at
    assert publication.plan(house.drafts, draft_id) == []


def test_a_process_killed_before_the_first_file_leaves_the_draft_as_it_was(house: House) -> None:
    draft_id = house.finished("Avant coup", PICTURES)
    with house.database.begin() as session:
        publication._tell_publishing(session, whole(session, repository.get_draft(session, draft_id)))
    settle_publications(house.database, house.drafts.store, house.settings)
    assert house.status(draft_id).status == "publishing"  # it may just have begun
    long_ago(house, draft_id)
    settle_publications(house.database, house.drafts.store, house.settings)
    assert house.status(draft_id).status == "completed"


def test_a_publication_that_broke_off_is_settled_even_while_the_draft_is_being_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_id = published(house, "Coupé")
    house.make(house.intake.regenerate_draft_asset(draft_id, 0, Regeneration(regenerate_video=False)))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "_give_up", die)  # no time left to undo anything
        patched.setattr(Publisher, "_change_rows", die)
        with pytest.raises(KeyboardInterrupt):
            publication.publish(house.drafts, draft_id)
    house.intake.generate_draft(draft_id, TWO)
    with house.database.begin() as session:
        (open_,) = [p for p in session.exec(select(Publication)) if p.state == PublicationState.SWITCHING]
    settle_publications(house.database, house.drafts.store, house.settings)
    with house.database.begin() as session:
        assert session.get_one(Publication, open_.id).state == PublicationState.UNDONE


def test_of_two_drafts_with_one_slug_production_shows_the_last(house: House) -> None:
    name = f"Jumeaux {uuid4().hex[:6]}"
    first, second = published(house, name), published(house, name, seed=7)
    old, new = house.drafts.get(first), house.drafts.get(second)
    assert old.slug == new.slug
    assert (old.status, old.published_at, old.univers_id) == ("completed", None, None)
    assert new.status == "published"
    publication.publish(house.drafts, first)
    assert (house.status(first).status, house.status(second).status) == ("published", "completed")


def test_what_is_being_published_is_not_deleted(house: House) -> None:
    draft_id = house.finished("Occupé", PICTURES)
    with house.database.begin() as session:
        publication._tell_publishing(session, whole(session, repository.get_draft(session, draft_id)))
    with pytest.raises(Conflict) as caught:
        house.drafts.delete(draft_id)
    assert caught.value.code == "busy"
    long_ago(house, draft_id)
    settle_publications(house.database, house.drafts.store, house.settings)
    house.drafts.delete(draft_id)
    assert not list((house.settings.home / "drafts").glob(f"*{draft_id}*"))


def test_a_deletion_that_broke_off_leaves_no_folder_without_a_draft(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_id = house.finished("Effacé", PICTURES)
    folder = house.drafts.folder_of(draft_id)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("maquette.drafts.service.events.forget", die)  # on the way to the commit
        with pytest.raises(KeyboardInterrupt):
            house.drafts.delete(draft_id)
    assert reconciler(house).reconcile().drafts == 1
    assert (folder / "assets" / str(house.drafts.asset(draft_id, 0).image_file)).exists()
    house.drafts.delete(draft_id)
    assert not folder.exists() and not (folder.parent / ".turns" / draft_id).exists()


def test_what_a_killed_writer_left_is_swept(house: House) -> None:
    draft_id = house.new()
    torn = house.drafts.folder_of(draft_id) / ".metadata.json.0123.part"
    torn.write_text("{")
    house.drafts.change(draft_id, DraftChange(description="d"))
    assert not torn.exists()


def test_files_of_versions_survive_the_sweep_and_drafts_do_not_expire(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    old = house.drafts.asset(draft_id, 0).image_sha256
    house.make(house.intake.regenerate_draft_asset(draft_id, 0, Regeneration(regenerate_video=False)))
    assert expire_media(house.database, house.drafts.store) == 0
    library.sweep(house.database, house.drafts.store, older_than_s=-60)
    forget_history(house.database, house.settings.model_copy(update={"history_keep_days": -1}))
    assert house.drafts.restore(draft_id, 0, 1).image_sha256 == old
    with house.database.begin() as session:
        kept = library.get(session, repository.get_asset(session, draft_id, 0).image_id)  # type: ignore[arg-type]
    assert house.drafts.store.path(kept.key).stat().st_size == kept.size_bytes

    house.drafts.delete(draft_id)
    library.sweep(house.database, house.drafts.store, older_than_s=-60)
    with pytest.raises(NotFound):
        house.drafts.store.path(kept.key)


def waiting(house: House, name: str) -> tuple[str, Prefect, publication.Readiness]:
    """A draft whose run waits for an approval."""
    draft_id = house.finished(name, PICTURES, require_approval=True)
    prefect, run_id = Prefect(), uuid4()
    prefect.states[run_id] = RunState.RUNNING
    return draft_id, prefect, publication.readiness(house.drafts, draft_id, waiting_run_id=run_id)


def test_a_look_at_a_draft_is_no_change_of_it(house: House) -> None:
    draft_id = house.finished(making=PICTURES, require_approval=True)
    before = house.drafts.get(draft_id)
    publication.readiness(house.drafts, draft_id, waiting_run_id=uuid4())
    assert house.drafts.get(draft_id) == before


def test_a_run_that_waits_is_woken_although_the_draft_was_published_elsewhere(house: House) -> None:
    draft_id, prefect, seen = waiting(house, "Deux chemins")
    house.drafts.approve(draft_id, Approval(content_hash=seen.content_hash))
    publication.publish(house.drafts, draft_id)
    reconciler(house, prefect).reconcile()
    assert list(prefect.resumed) == list(prefect.states)


def test_a_run_is_woken_until_it_has_looked(house: House) -> None:
    draft_id, prefect, seen = waiting(house, "Réveil")
    (run_id,) = prefect.states
    house.drafts.approve(draft_id, Approval(content_hash=seen.content_hash))
    keeper = reconciler(house, prefect)
    keeper.reconcile()  # it was not suspended yet: Prefect passes over the call
    prefect.resumed.clear()
    keeper.reconcile()
    assert list(prefect.resumed) == [run_id]
    assert not publication.readiness(house.drafts, draft_id, waiting_run_id=run_id).needs_approval  # it goes on
    prefect.resumed.clear()
    keeper.reconcile()
    assert prefect.resumed == {}


def test_a_run_that_has_ended_is_forgotten_and_a_deaf_prefect_asked_again(house: House) -> None:
    draft_id, prefect, seen = waiting(house, "Fin")
    (run_id,) = prefect.states
    house.drafts.approve(draft_id, Approval(content_hash=seen.content_hash))
    keeper = reconciler(house, prefect)
    prefect.down = True
    keeper.reconcile()
    prefect.down = False
    prefect.states[run_id] = RunState.ENDED
    keeper.reconcile()
    with house.database.begin() as session:
        assert repository.get_draft(session, draft_id).waiting_run_id is None
    assert prefect.resumed == {}


def test_the_same_content_after_a_change_is_another_question(house: House) -> None:
    draft_id, _, first = waiting(house, "Aller et retour")
    house.drafts.change(draft_id, DraftChange(background_color="#112233"))
    second = publication.readiness(house.drafts, draft_id)
    house.drafts.change(draft_id, DraftChange(background_color=None))
    third = publication.readiness(house.drafts, draft_id)
    assert first.content_hash == third.content_hash != second.content_hash
    assert len({first.question, second.question, third.question}) == 3
    assert publication.readiness(house.drafts, draft_id).question == third.question
    assert house.drafts.get(draft_id).status == DraftStatus.COMPLETED


def test_a_refusal_elsewhere_ends_the_run_that_waits_and_no_other(house: House) -> None:
    draft_id, prefect, seen = waiting(house, "Non merci")
    (run_id,) = prefect.states
    house.drafts.approve(draft_id, Approval(content_hash=seen.content_hash, approved=False, note="too dark"))
    reconciler(house, prefect).reconcile()
    assert prefect.resumed == {run_id: {"approved": False, "note": "too dark"}}
    assert publication.readiness(house.drafts, draft_id, waiting_run_id=run_id).refusal == "too dark"
    later = uuid4()
    prefect.states[later] = RunState.RUNNING
    other = publication.readiness(house.drafts, draft_id, waiting_run_id=later)
    assert (other.needs_approval, other.refusal) == (True, None)  # it asks again
    prefect.resumed.clear()
    reconciler(house, prefect).reconcile()
    assert prefect.resumed == {}


def test_a_run_is_not_woken_into_a_draft_that_is_being_made(house: House) -> None:
    draft_id, prefect, seen = waiting(house, "Patience")
    house.drafts.approve(draft_id, Approval(content_hash=seen.content_hash))
    ordered = house.intake.generate_draft(draft_id, TWO)
    reconciler(house, prefect).reconcile()
    assert prefect.resumed == {}
    assert ordered.order_id is not None
    house.intake.cancel(ordered.order_id)
    reconciler(house, prefect).reconcile()
    assert list(prefect.resumed) == list(prefect.states)


def test_what_was_approved_is_what_is_published_or_nothing(house: House) -> None:
    draft_id = house.finished("Gardien", PICTURES, require_approval=True)
    seen = house.drafts.get(draft_id).content_hash
    house.drafts.approve(draft_id, Approval(content_hash=seen))
    assert not publication.readiness(house.drafts, draft_id).needs_approval
    for change in (
        lambda: house.drafts.change(draft_id, DraftChange(background_color="#112233")),
        lambda: house.drafts.change_song(draft_id, "fr", SongChange(lyrics="la")),
        lambda: house.make(house.intake.regenerate_draft_asset(draft_id, 0, Regeneration(regenerate_video=False))),
        lambda: house.drafts.restore(draft_id, 0, 1),
    ):
        change()  # between the look and the publication
        with pytest.raises(Conflict) as caught:
            publication.publish(house.drafts, draft_id)
        assert caught.value.code == "approval_required"
        now = house.drafts.get(draft_id).content_hash
        house.drafts.approve(draft_id, Approval(content_hash=now))
    publication.publish(house.drafts, draft_id)
    assert house.status(draft_id).status == "published"
