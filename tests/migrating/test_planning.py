"""The plan: it counts right, names what is in the way, and writes nothing."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from pydantic import JsonValue

from maquette.errors import InvalidInput
from maquette.migrating import dry_run
from maquette.migrating.constraints import make_unique
from maquette.migrating.definition import UniqueRule
from maquette.migrating.duplicates import deduplicate
from maquette.migrating.expanding import expand
from maquette.migrating.models import Options, Phase, Plan
from maquette.migrating.planning import make_plan
from maquette.migrating.source import Connection
from tests.migrating import rig

OWNER = UUID("00000000-0000-4000-8000-00000000000a")


def plan_of(url: str, migration: rig.Notes | None = None, **more: Any) -> Plan:
    return make_plan(url, migration or rig.Notes(), more.pop("options", rig.QUICK), **more)


def test_it_counts_what_the_migration_will_do(target_url: str, user: Connection) -> None:
    rig.add(user, {"lines": ["a", "only here"]}, owner=OWNER, title="x", updated_at="2025-01-01", key=UUID(int=1))
    rig.add(user, {"lines": ["a"]}, owner=OWNER, title="x", updated_at="2025-01-02", key=UUID(int=2))
    rig.add(user, {"lines": ["a"]}, owner=OWNER, title="x", updated_at="2025-01-03", key=UUID(int=3))
    rig.add(user, {"kind": "note", "text": "new already"})
    rig.add(user, {"bad": 1})
    rig.add(user, {"bad": 2})
    rig.add(user, [1, 2])
    rig.add(user, {"lines": ["b"], "colour": "red"})
    plan = plan_of(target_url)
    assert (plan.rows, plan.duplicate_groups, plan.rows_to_archive, plan.already_new) == (8, 1, 2, 1)
    assert plan.duplicates_lacking == [
        {
            "survivor": str(UUID(int=3)),
            "archived": [str(UUID(int=2)), str(UUID(int=1))],
            "lacking": {str(UUID(int=1)): ["only here"]},
        }
    ]
    assert plan.quarantine == {"ValueError: a bad note": 2}
    assert plan.oddities == {"unknown key: bad": 2, "not an object: list": 1, "unknown key: colour": 1}
    assert sum(each.rows for each in plan.sizes) == 8
    assert plan.refusals == []
    assert plan.triggers == ["keep_note_version", "touch_note"]
    assert plan.size_bytes > 0
    assert plan.needed_disk_bytes > plan.size_bytes


def test_the_run_does_what_was_counted(target_url: str, user: Connection) -> None:
    for number in range(6):
        rig.add(user, owner=OWNER, title=str(number % 2), updated_at=None)
    plan = plan_of(target_url)
    with rig.held(target_url) as work:
        expand(work)
        report = deduplicate(work)
    assert (report.detail["groups"], report.rows) == (plan.duplicate_groups, plan.rows_to_archive)


def test_it_writes_nothing(target_url: str, user: Connection) -> None:
    rig.fill(user, 20)
    dump = "SELECT relnamespace::regnamespace::text, relname, relkind FROM pg_class ORDER BY 1, 2"
    before = user.execute(dump).fetchall(), rig.contents(user)
    plan_of(target_url)
    assert (user.execute(dump).fetchall(), rig.contents(user)) == before


def test_its_hash_stays_while_people_write(target_url: str, user: Connection) -> None:
    rig.fill(user, 5)
    approved = plan_of(target_url).hash
    rig.fill(user, 5)
    rig.add(user, {"bad": 1})
    user.execute("ANALYZE notes")
    assert plan_of(target_url).hash == approved
    assert plan_of(target_url, look_s=0).hash == approved
    assert len(approved) == hashlib.sha256().digest_size * 2


def test_its_hash_is_for_this_table(target_url: str, user: Connection) -> None:
    seen = {plan_of(target_url).hash}
    for number, change in enumerate(
        (
            "ALTER TABLE notes ADD extra int",
            "ALTER TABLE notes ALTER title TYPE varchar(80)",
            "ALTER TABLE notes DISABLE TRIGGER touch_note",
            "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
            "CREATE TABLE more (note_id uuid REFERENCES notes)",
            "ALTER TABLE notes ADD CONSTRAINT one_note_by_title UNIQUE (owner, title)",
        ),
        start=2,
    ):
        user.execute(change.encode())
        seen.add(plan_of(target_url).hash)
        assert len(seen) == number, change


def test_its_hash_is_for_this_code_and_these_options(target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    approved = plan_of(target_url).hash
    assert plan_of(target_url, options=Options(cohorts=(50, 100))).hash != approved
    monkeypatch.setattr(rig.Notes, "digest", classmethod(lambda kind: "another text"))
    assert plan_of(target_url).hash != approved


def test_no_statement_takes_a_heavier_lock_than_the_plan_names(target_url: str, user: Connection) -> None:
    """Each is executed, and PostgreSQL is asked which locks of the table it holds then."""
    rig.fill(user, 3)
    plan = plan_of(target_url)
    assert {each.phase for each in plan.statements} == {Phase.EXPAND, Phase.UNIQUE}
    with rig.held(target_url):  # makes the books that the triggers write to
        pass
    held = "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'notes'::regclass"
    heavy = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
    seen = set()
    for statement in plan.statements:
        if "CONCURRENTLY" in statement.sql:
            user.execute(statement.sql.encode())
            continue
        with user.transaction():
            user.execute(statement.sql.encode())
            taken = {mode for (mode,) in user.execute(held)} & heavy
        assert taken <= {statement.lock}, statement.sql
        seen |= taken
    assert seen == {"ShareRowExclusiveLock", "AccessExclusiveLock"}


def test_a_kept_rule_needs_no_statement(target_url: str) -> None:
    with rig.held(target_url) as work:
        expand(work)
        make_unique(work)
    plan = plan_of(target_url)
    assert {each.phase for each in plan.statements} == {Phase.EXPAND}


def test_samples_are_the_most_different_rows(target_url: str, user: Connection) -> None:
    rig.fill(user, 30)
    small = rig.add(user, {"lines": []})
    large = rig.add(user, {"lines": ["word " * 400] * 20})
    odd = rig.add(user, ["no", "object"])
    plan = plan_of(target_url)
    assert len(plan.samples) <= dry_run.SAMPLES
    by_key = {sample.key: sample for sample in plan.samples}
    assert by_key.keys() > {str(small), str(large), str(odd)}
    assert by_key[str(odd)].before == {"body": ["no", "object"]}
    lines: JsonValue = by_key[str(large)].before["body"]["lines"]  # type: ignore[index,call-overload]
    assert lines[-1] == "… 15 more"  # type: ignore[index]
    assert lines[0].endswith("… (2,000 characters)")  # type: ignore[index,union-attr]


def test_no_document_stops_it(target_url: str, user: Connection) -> None:
    for document in (
        "[" * 9_000 + "]" * 9_000,
        '{"a": 1.10, "b": 123456789012345678901234567890}',
        "null",
        '{"lines": [' + ",".join(f'"{n}"' for n in range(5_000)) + "]}",
        "{" + ",".join(f'"key {n}": {n}' for n in range(500)) + "}",
    ):
        user.execute("DELETE FROM notes")
        rig.add(user, document)
        plan = plan_of(target_url)
        assert plan.rows == 1
        assert len(plan.samples) + sum(plan.quarantine.values()) == 1
        assert len(plan.oddities) <= 101
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
        assert len(plan.model_dump_json()) < 60_000


def test_a_migration_that_trips_over_its_own_oddities_stops_nothing(target_url: str, user: Connection) -> None:
    class Clumsy(rig.Notes):
        def oddities(self, row: Any) -> Sequence[str]:
            raise KeyError("scenes")

    rig.add(user)
    assert plan_of(target_url, Clumsy()).oddities == {"oddities raised KeyError": 1}


def test_out_of_time_it_says_how_far_it_came(target_url: str, user: Connection) -> None:
    rig.fill(user, 10)
    plan = plan_of(target_url, look_s=1e-9)
    assert any("1 of 10 rows" in warning for warning in plan.warnings)


def test_sizes_are_of_the_text_not_of_what_is_compressed(target_url: str, user: Connection) -> None:
    rig.add(user, {"lines": ["a" * 200_000]})
    rig.add(user, '"' + "b" * 254 + '"')
    rig.add(user, '"' + "b" * 255 + '"')
    assert [(each.upto_bytes, each.rows) for each in plan_of(target_url).sizes] == [(256, 1), (1024, 1), (262_144, 1)]


def test_what_stands_in_the_way_is_refused(target_url: str, user: Connection) -> None:
    refused = {
        "CREATE TABLE notes_v2_new ()": "notes_v2_new is there already",
        "CREATE VIEW notes_v2_current AS SELECT 1 AS one": "notes_v2_current is there already",
        "CREATE TABLE more () INHERITS (notes)": "inherit",
        "CREATE TABLE one_note_by_title ()": "one_note_by_title is there",
        "CREATE TABLE due (note_id uuid REFERENCES notes, at date, UNIQUE (note_id, at) DEFERRABLE)": "deferrable",
        "ALTER TABLE notes DROP COLUMN title CASCADE; ALTER TABLE notes ADD title json": "cannot be compared",
    }
    for number, (made, words) in enumerate(refused.items(), start=1):
        user.execute(made.encode())
        refusals = plan_of(target_url).refusals
        assert len(refusals) == number, refusals
        assert any(words in refusal for refusal in refusals), refusals


def test_a_rule_about_columns_that_are_not_there_is_refused(target_url: str) -> None:
    class Wrong(rig.Notes):
        unique: ClassVar[UniqueRule | None] = UniqueRule(columns=("owner", "project"), constraint="c")
        acting_as: ClassVar[dict[str, str]] = {"app.user": "user_id"}

    refusals = plan_of(target_url, Wrong()).refusals
    assert ["project" in each or "user_id" in each for each in refusals] == [True, True]


def test_an_unfinished_run_is_refused(target_url: str) -> None:
    with rig.held(target_url) as work:
        (refusal,) = plan_of(target_url).refusals
        assert str(work.run.id) in refusal


def test_a_table_that_is_not_there_or_has_another_key(target_url: str, user: Connection) -> None:
    user.execute("ALTER TABLE notes DROP CONSTRAINT notes_pkey CASCADE")
    with pytest.raises(InvalidInput, match="primary key"):
        plan_of(target_url)
    user.execute("DROP TABLE notes CASCADE")
    with pytest.raises(InvalidInput, match="no table"):
        plan_of(target_url)


def test_a_full_disk_is_refused(target_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1_000_000}))
    plan = plan_of(target_url, folder=tmp_path / "not" / "yet")
    assert plan.free_disk_bytes == 1_000_000
    assert any("free some space" in refusal for refusal in plan.refusals)


def test_what_people_should_know_is_told(target_url: str, user: Connection) -> None:
    user.execute(
        "CREATE VIEW stats AS SELECT body -> 'lines' AS lines FROM notes; "
        "CREATE INDEX by_body ON notes USING gin (body); "
        "CREATE INDEX by_line ON notes ((body ->> 'lines')); "
        "ALTER TABLE notes ADD CHECK (body IS NOT NULL); "
        "CREATE PUBLICATION everything FOR ALL TABLES"
    )
    plan = plan_of(target_url)
    assert plan.refusals == []
    told = "\n".join(plan.warnings)
    for words in (
        "stats reads body",
        "by_body (gin)",
        "by_line (btree)",
        "notes_body_check",
        "published by everything",
        "title may be NULL",
        "note_versions has no index",
    ):
        assert words in told


def test_an_old_transaction_is_told(target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maquette.migrating.prechecks._LONG_S", 0)
    with user.transaction():
        user.execute("SELECT 1")
        assert any("a transaction of a test" in warning for warning in plan_of(target_url).warnings)


def test_a_role_without_rights_is_told_which(target_url: str, user: Connection) -> None:
    role, password = f"plain_{uuid4().hex[:12]}", uuid4().hex
    user.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'".encode())
    try:
        user.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        user.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        plain = sa.make_url(target_url).set(username=role, password=password).render_as_string(hide_password=False)
        plan = plan_of(plain)
        told = "\n".join([*plan.refusals, *plan.warnings])
        for words in (
            "may not change public.notes",
            "may not make tables in public",
            "may not make the schema",
            "row security hides",
            "may not write all rows of public.note_tags",
            "may not make databases",
            "may not keep triggers from firing",
        ):
            assert words in told
        assert password not in told
    finally:
        user.execute(f"DROP OWNED BY {role}".encode())
        user.execute(f"DROP ROLE {role}".encode())


def test_the_estimate_grows_with_the_rehearsal_and_the_watch(target_url: str, user: Connection) -> None:
    rig.fill(user, 200)
    quick = plan_of(target_url)
    long = plan_of(target_url, options=Options(watch_s=100, cohorts=(1, 100)))
    assert 0 < quick.estimate_s < 60
    assert 200 < long.estimate_s < 300


def test_a_view_that_the_migration_sees_to_is_no_warning(target_url: str, user: Connection) -> None:
    class Careful(rig.Notes):
        before: ClassVar[tuple[str, ...]] = ("CREATE OR REPLACE VIEW stats AS SELECT body AS lines FROM notes",)

    user.execute("CREATE VIEW stats AS SELECT body AS lines FROM notes")
    assert any("stats reads body" in warning for warning in plan_of(target_url).warnings)
    assert not any("stats" in warning for warning in plan_of(target_url, Careful()).warnings)
