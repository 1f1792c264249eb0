"""What calls cost and what the cache saved: the reports' sums are the journal's."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlmodel import Session

from maquette.db.engine import Database
from maquette.journal import costs as reports
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall
from tests.orders.rig import own_database

BRANDS = [UUID(int=n) for n in range(1, 4)]
ORDERS = [UUID(int=n) for n in range(11, 15)]


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[Database]:
    """One database for the module: each test asks for something of its own, or rolls back."""
    with own_database(postgres) as database:
        yield database


def key(
    *, brand_id: UUID | None = None, step: str = "image-1", request: str = "a", order_id: UUID | None = None
) -> journal.CallKey:
    return journal.CallKey(
        account="a",
        brand_id=brand_id,
        order_id=order_id,
        subject=uuid4().hex,
        step=step,
        provider="p",
        model="m",
        request={"prompt": request},
    )


def answered(session: Session, asked: journal.CallKey, *, cost_micros: int = 40) -> ProviderCall:
    call = journal.open_call(session, asked)
    journal.record_success(session, call.id, {"key": "a.jpg"})
    call.cost_micros = cost_micros
    session.flush()
    return call


def test_an_equal_request_is_answered_from_the_cache_at_no_cost(database: Database) -> None:
    [brand], request = BRANDS[:1], uuid4().hex
    with database.begin() as session:
        paid = answered(session, key(brand_id=brand, request=request))
    again = key(brand_id=brand, request=request, order_id=ORDERS[0])
    with database.begin() as session:
        source = journal.cached_answer(session, again, across_brands=False)
        assert source is not None
        cached = journal.answer_from_cache(session, again, source)
        assert (cached.state, cached.cost_micros, cached.saved_micros) == (CallState.SUCCEEDED, 0, 40)
        assert (cached.result, cached.cached_from, cached.order_id) == (paid.result, paid.id, ORDERS[0])
    with database.begin() as session:  # what was answered from the cache answers as well, and saved as much
        third = key(brand_id=brand, request=request)
        source = journal.cached_answer(session, third, across_brands=False)
        assert source is not None
        assert source.id == cached.id
        assert journal.answer_from_cache(session, third, source).saved_micros == 40


def test_the_cache_keeps_to_the_brand_unless_it_is_told_otherwise(database: Database) -> None:
    request = uuid4().hex
    with database.begin() as session:
        paid = answered(session, key(brand_id=BRANDS[0], request=request))
        for other in (BRANDS[1], None):
            asked = key(brand_id=other, request=request)
            assert journal.cached_answer(session, asked, across_brands=False) is None
            found = journal.cached_answer(session, asked, across_brands=True)
            assert found is not None
            assert found.id == paid.id


@pytest.mark.parametrize("state", [state for state in CallState if state != CallState.SUCCEEDED])
def test_only_what_was_answered_answers(database: Database, state: CallState) -> None:
    request = uuid4().hex
    with database.begin() as session:
        answered(session, key(request=request)).state = state
        session.flush()
        assert journal.cached_answer(session, key(request=request), across_brands=True) is None


def test_another_request_another_model_and_another_provider_are_not_equal(database: Database) -> None:
    request = uuid4().hex
    with database.begin() as session:
        answered(session, key(request=request))
        for changed in ({"provider": "q"}, {"model": "n"}, {"request": {"prompt": request, "seed": 1}}):
            asked = key(request=request).model_copy(update=changed)
            assert journal.cached_answer(session, asked, across_brands=True) is None


def test_the_cache_does_not_look_at_the_number_of_the_try(database: Database) -> None:
    request = uuid4().hex
    with database.begin() as session:
        answered(session, key(request=request, step="image-2"))
        assert journal.cached_answer(session, key(request=request), across_brands=True) is not None


def test_a_call_that_is_under_way_is_not_overwritten_by_the_cache(database: Database) -> None:
    request = uuid4().hex
    asked = key(request=request)
    with database.begin() as session:
        source = answered(session, key(request=request))
        journal.open_call(session, asked).state = CallState.SENDING
        session.flush()
        assert journal.answer_from_cache(session, asked, source).state == CallState.SENDING


CALLS = st.lists(
    st.tuples(
        st.sampled_from([None, *BRANDS]),
        st.sampled_from([None, *ORDERS]),
        st.sampled_from(["local/a", "replicate/a", "replicate/b"]),
        st.sampled_from(["2025-12-31T23:30", "2026-01-01T00:30", "2026-02-10T12:00"]),
        st.integers(0, 2**40),
        st.integers(0, 2**40),
    ),
    max_size=12,
)


@given(calls=CALLS, brand=st.sampled_from([None, *BRANDS]), period=st.sampled_from([None, 202512, 202601]))
@hypothesis_settings(max_examples=15, deadline=None)
def test_the_sums_of_every_report_are_those_of_the_journal(
    database: Database,
    calls: list[tuple[UUID | None, UUID | None, str, str, int, int]],
    brand: UUID | None,
    period: int | None,
) -> None:
    with Session(database.engine) as session:  # rolled back
        session.connection().exec_driver_sql("DELETE FROM provider_calls")
        for brand_id, order_id, name, moment, cost, saved in calls:
            provider, model = name.split("/")
            asked = key(brand_id=brand_id, order_id=order_id).model_copy(update={"provider": provider, "model": model})
            call = journal.open_call(session, asked)
            call.cost_micros, call.saved_micros = cost, saved
            call.created_at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        session.flush()
        names = {
            "brand": lambda row: None if row[0] is None else str(row[0]),
            "order": lambda row: None if row[1] is None else str(row[1]),
            "provider": lambda row: row[2],
            "month": lambda row: row[3].replace("-", "")[:6],
        }
        wanted = [
            row for row in calls if brand in (None, row[0]) and period in (None, int(row[3].replace("-", "")[:6]))
        ]
        for by in get_args(reports.By):
            report = reports.costs(session, by=by, brand_id=brand, period=period)
            assert report.calls == len(wanted)
            assert report.cost_micros == sum(row[4] for row in wanted)
            assert report.saved_micros == sum(row[5] for row in wanted)
            found = {line.key: (line.calls, line.cost_micros) for line in report.lines}
            grouped: dict[str | None, tuple[int, int]] = {}
            for row in wanted:
                number, cost = grouped.get(names[by](row), (0, 0))
                grouped[names[by](row)] = number + 1, cost + row[4]
            assert found == grouped
            assert [line.cost_micros for line in report.lines] == sorted(
                (line.cost_micros for line in report.lines), reverse=True
            )
        one = reports.costs(session, by="provider", order_id=ORDERS[0], provider="replicate")
        of_order = [row for row in calls if row[1] == ORDERS[0] and row[2].startswith("replicate")]
        assert one.cost_micros == sum(row[4] for row in of_order)
        assert one.calls == len(of_order)
