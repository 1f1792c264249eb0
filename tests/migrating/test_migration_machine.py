"""Any sequence of writes in both shapes, phases, crashes and ways back: whoever reads finds what was written last."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import Phase as Stage
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from maquette.migrating import contracting, cutting_over, engine, rolling_back
from maquette.migrating.following import drain, follow, pending
from maquette.migrating.models import SCHEMA, Duplicates, Phase, RunStatus
from maquette.migrating.service import Migrations
from maquette.migrating.source import Connection
from maquette.migrating.validating import accounting
from maquette.migrating.watching import Breached
from maquette.migrating.work import Work
from tests.migrating import life, rig
from tests.migrating.moments import Watched, everywhere
from tests.migrating.people import Deed, People, text_of

KINDS = [
    "add", "add", "add", "add_new", "add_new", "edit", "edit", "edit_new", "edit_new", "edit_beside", "rename",
    "rename_new", "delete", "delete_new", "rekey", "leave_open", "end_open", "empty", "die",
]  # fmt: skip
NUMBER = st.integers(0, 11)
DEED = st.builds(Deed, kind=st.sampled_from(KINDS), key=NUMBER, other=NUMBER, shape=NUMBER, after=st.integers(0, 4))
QUIET = DEED.filter(lambda deed: deed.kind != "die")
MEANWHILE = st.lists(DEED, min_size=1, max_size=6)
# Where nothing but DDL has to wait for a transaction that stays open.
PATIENT = (Phase.BACKFILL, Phase.VALIDATE)
MERGING = (Phase.DEDUPLICATE, Phase.UNIQUE)

_ANEW = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
GRANT ALL ON SCHEMA public TO PUBLIC;
DROP SCHEMA IF EXISTS maquette_migrating CASCADE
"""
# Keys change here, and children go along.
_KEYS_CHANGE = """
ALTER TABLE note_tags DROP CONSTRAINT note_tags_note_id_fkey,
    ADD FOREIGN KEY (note_id) REFERENCES notes ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE note_versions DROP CONSTRAINT note_versions_note_id_fkey,
    ADD FOREIGN KEY (note_id) REFERENCES notes ON DELETE CASCADE ON UPDATE CASCADE
"""


class MigrationMachine(RuleBasedStateMachine):
    """One table of few notes, and one run after the other."""

    def __init__(self, url: str, home: Path, user: Connection, late: Connection) -> None:
        super().__init__()
        self.url, self.user = url, user
        user.execute("SET lock_timeout = '10s'")
        user.execute(_ANEW.encode())
        rig.lay_out(user)
        user.execute(_KEYS_CHANGE.encode())
        self.people = People(user, late)
        self.moments = Watched.moments
        self.moments.deeds, self.moments.act = [], self.act
        self.use = Migrations(url, Watched(), home=home)
        self.holding = ExitStack()
        self.work: Work | None = None
        self.phase: Phase | None = None
        self.is_over = False
        self.reads_back = False

    @initialize(
        deeds=st.lists(st.builds(Deed, kind=st.just("add"), key=NUMBER, other=NUMBER, shape=NUMBER)),
        upto=st.integers(0, len(life.DATABASE)),
    )
    def fill(self, deeds: list[Deed], upto: int) -> None:
        """A table, and a run that came so far in peace."""
        for deed in deeds:
            self.people.do(deed)
        if upto:
            self.begin(Duplicates.RESTORE if len(deeds) % 2 else Duplicates.KEEP_ARCHIVED)
            self.advance(upto, [])

    # People

    @rule(deed=QUIET)
    def write(self, deed: Deed) -> None:
        self.people.do(deed)

    # The engine

    @precondition(lambda self: self.work is None and not self.is_over)
    @rule(policy=st.sampled_from(Duplicates))
    def begin(self, policy: Duplicates) -> None:
        self.people.commit()
        options = rig.QUICK.model_copy(update={"cohorts": (1, 50, 100), "on_rollback": policy})
        self.work = self.holding.enter_context(self.use.begin(self.use.plan(options).hash, options))

    @precondition(lambda self: self.status in (RunStatus.RUNNING, RunStatus.FAILED))
    @rule(phases=st.integers(1, 6), deeds=MEANWHILE)
    def advance(self, phases: int, deeds: list[Deed]) -> None:
        assert self.work is not None
        left = [phase for phase in life.DATABASE if self.work.finished(phase) is None][:phases]
        self.carry_out([(phase, partial(engine.carry_out, self.work, phase)) for phase in left], deeds)

    @precondition(lambda self: self.work is not None and self.work.finished(Phase.EXPAND) is not None)
    @rule(limit=st.integers(1, 4), deeds=MEANWHILE)
    def follow(self, limit: int, deeds: list[Deed]) -> None:
        assert self.work is not None
        self.carry_out([(Phase.BACKFILL, partial(follow, self.work, limit=limit))], deeds)

    @precondition(lambda self: self.work is not None)
    @rule()
    def crash(self) -> None:
        self.holding.close()
        self.work = self.holding.enter_context(self.use.resume(wait_s=10))

    @precondition(lambda self: self.status == RunStatus.SOAKING)
    @rule(back=st.booleans(), deeds=MEANWHILE)
    def flip(self, back: bool, deeds: list[Deed]) -> None:
        assert self.work is not None
        action = rolling_back.flip if back else cutting_over.cut_over
        self.carry_out([(Phase.CUT_OVER, partial(action, self.work))], deeds)

    @precondition(lambda self: self.status in (RunStatus.SOAKING, RunStatus.FAILED, RunStatus.RUNNING))
    @rule(deeds=MEANWHILE)
    def roll_back(self, deeds: list[Deed]) -> None:
        assert self.work is not None
        self.people.touched = set()
        self.carry_out([(Phase.ROLL_BACK, partial(rolling_back.roll_back, self.work))], deeds)

    @precondition(lambda self: self.status == RunStatus.SOAKING)
    @rule(deeds=MEANWHILE)
    def contract(self, deeds: list[Deed]) -> None:
        assert self.work is not None
        if self.work.run.percent < 100:
            cutting_over.cut_over(self.work)
        approve = contracting.contract_plan(self.work).hash
        self.carry_out([(Phase.CONTRACT, partial(contracting.contract, self.work, approve=approve))], deeds)

    @precondition(lambda self: self.status in (RunStatus.CONTRACTING, RunStatus.ROLLING_BACK))
    @rule(deeds=MEANWHILE)
    def go_on(self, deeds: list[Deed]) -> None:
        assert self.work is not None
        phase = Phase.CONTRACT if self.status == RunStatus.CONTRACTING else Phase.ROLL_BACK
        self.carry_out([(phase, partial(engine.carry_out, self.work, Phase.BACKFILL))], deeds)

    # What holds

    @invariant()
    def readers_find_what_was_written_last(self) -> None:
        seen = self.people.see()
        if seen is None:
            return
        if self.work is not None:
            if self.people.take_in_duplicates():
                assert self.phase in MERGING
            if self.people.take_in_restored():
                assert self.phase == Phase.ROLL_BACK
            if self.phase == Phase.ROLL_BACK and not life.scaffold(self.user):
                self.people.take_in_unmade(self.work)
                seen = self.people.see()
        assert seen == self.people.notes

    @property
    def status(self) -> RunStatus | None:
        return self.work.run.status if self.work else None

    def act(self, deed: Deed) -> None:
        self.readers_find_what_was_written_last()
        self.people.do(deed)
        self.readers_find_what_was_written_last()

    def carry_out(self, actions: Sequence[tuple[Phase, Callable[[], object]]], deeds: list[Deed]) -> None:
        assert self.work is not None
        self.moments.deeds = list(deeds)
        try:
            for phase, action in actions:
                self.phase, self.people.may_wait = phase, phase in PATIENT
                if not self.people.may_wait:
                    self.people.commit()
                try:
                    action()
                except Breached:
                    rolling_back.roll_back(self.work, reason="a breach")
                self.end_of_phase()
                if self.status is None:
                    break
        except life.Killed:
            self.moments.deeds = []
            self.readers_find_what_was_written_last()
            self.crash()
        left, self.moments.deeds = self.moments.deeds, []
        self.phase, self.people.may_wait = None, True
        for deed in left:
            if deed.kind != "die":
                self.people.do(deed)

    def end_of_phase(self) -> None:
        """What must be so now; people's further deeds wait."""
        assert self.work is not None
        left, self.moments.deeds = self.moments.deeds, []
        if self.status == RunStatus.ROLLED_BACK:
            self.require_all_as_it_was(self.work)
        elif self.status == RunStatus.COMPLETED:
            self.require_all_new(self.work)
            self.is_over = True
        elif self.work.finished(Phase.BACKFILL) is not None and not self.people.uncommitted:
            self.require_both_sides(self.work)
        self.readers_find_what_was_written_last()
        if self.status in (RunStatus.ROLLED_BACK, RunStatus.COMPLETED):
            self.holding.close()
            self.work = None
        self.moments.deeds = left

    def require_both_sides(self, work: Work) -> None:
        drain(work, within_s=10)
        account = accounting(work)
        assert account.holds and account.pending == 0 and account.rows == len(self.people.notes)
        old, new = rig.old(self.user), rig.new(self.user)
        aside = self.aside(work)
        for key, note in self.people.notes.items():
            sides = [new.get(key, old[key])] if key in aside else [old[key], new[key]]
            assert [text_of(side) for side in sides] == [note.text] * len(sides)
        if work.run.percent in (0, 100):
            expected = dict.fromkeys(new.keys() - aside, work.run.percent == 100)
            assert {key: is_new for key, is_new in life.shapes(self.user).items() if key in expected} == expected

    def require_all_as_it_was(self, work: Work) -> None:
        people = self.people
        people.take_in_duplicates()
        restored = people.take_in_restored()
        if work.options.on_rollback == Duplicates.RESTORE:
            assert people.not_restored(work) == set()
        else:
            assert not restored
        people.take_in_unmade(work)
        assert {key: text_of(body) for key, body in rig.old(self.user).items()} == {
            key: note.text for key, note in people.notes.items()
        }
        rows: dict[str, str] = dict(self.user.execute("SELECT t.id::text, t::text FROM notes t").fetchall())
        assert people.verbatim == {key: rows[key] for key in people.verbatim}
        self.require_nothing_left(work)
        assert life.scaffold(self.user) == []
        constraint = self.user.execute("SELECT 1 FROM pg_constraint WHERE conname = 'one_note_by_title'").fetchone()
        assert constraint is None

    def require_all_new(self, work: Work) -> None:
        self.people.take_in_duplicates()
        bodies = rig.old(self.user)
        assert {key: text_of(body) for key, body in bodies.items()} == {
            key: note.text for key, note in self.people.notes.items()
        }
        assert {key for key, body in bodies.items() if not rig.is_new(body)} <= self.aside(work)
        self.require_nothing_left(work)
        assert life.scaffold(self.user) == ["notes_v2_current"]

    def require_nothing_left(self, work: Work) -> None:
        assert pending(work) == 0
        # Foreign keys are not checked while the engine writes quietly.
        for child in ("note_tags", "note_versions"):
            orphans = f"SELECT count(*) FROM {child} c LEFT JOIN notes n ON n.id = c.note_id WHERE n.id IS NULL"
            assert self.user.execute(orphans.encode()).fetchone() == (0,)

    def aside(self, work: Work) -> set[str]:
        found = self.user.execute(f"SELECT key FROM {SCHEMA}.quarantine WHERE run_id = %s", [work.run.id])
        return {key for (key,) in found}

    def teardown(self) -> None:
        self.moments.deeds = []
        self.people.commit()
        self.holding.close()


@pytest.fixture
def late(target_url: str) -> Iterator[Connection]:
    """Somebody whose transactions stay open."""
    with rig.connected(target_url) as connection:
        yield connection


@pytest.fixture
def machine(
    target_url: str, user: Connection, late: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> type[MigrationMachine]:
    """Makes machines on one database, with batches of two rows and moments wherever the engine is about to write."""
    everywhere(monkeypatch)

    class InThisDatabase(MigrationMachine):
        def __init__(self) -> None:
            super().__init__(target_url, tmp_path / "home", user, late)

    return InThisDatabase


def run(machine: type[MigrationMachine], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Stage.explicit, Stage.reuse, Stage.generate],  # a life is told whole: shrinking takes minutes
        ),
    )


def test_nothing_is_lost_whatever_happens(machine: type[MigrationMachine]) -> None:
    run(machine, examples=8, steps=14)


@pytest.mark.slow
def test_nothing_is_lost_in_longer_lives(machine: type[MigrationMachine]) -> None:
    run(machine, examples=40, steps=30)
