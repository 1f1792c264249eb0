"""Two changes of one document: by section, the same whichever came first, and no section lost."""

from hypothesis import given
from hypothesis import strategies as st

from maquette.projects.merging import Merge, merge

NAMES = ("script", "characters", "assembly", "decors")
hashes = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("abc"))


def saved(current: dict[str, str], sent: dict[str, str], found: Merge) -> dict[str, str]:
    return current | {name: sent[name] for name in found.changes}


def test_sections_that_one_side_changed_go_together() -> None:
    base = {"script": "a", "characters": "a", "decors": "a"}
    found = merge(base, base | {"characters": "b"}, {"script": "c", "characters": "a"})
    assert found == Merge(changes=frozenset({"script"}), kept=frozenset({"characters"}), conflicting=frozenset())


def test_a_section_that_both_changed_is_in_conflict_unless_alike() -> None:
    base = {"script": "a"}
    assert merge(base, {"script": "b"}, {"script": "c"}).conflicting == {"script"}
    assert merge(base, {"script": "b"}, {"script": "b"}) == Merge(frozenset(), frozenset(), frozenset())


def test_of_an_unknown_base_all_that_differs_is_in_conflict() -> None:
    found = merge(None, {"script": "a", "decors": "a"}, {"script": "a", "decors": "b", "scenes": "c"})
    assert found == Merge(changes=frozenset(), kept=frozenset(), conflicting=frozenset({"decors", "scenes"}))


@given(base=hashes, mine=hashes, yours=hashes)
def test_whoever_saves_first_the_outcome_is_the_same(
    base: dict[str, str], mine: dict[str, str], yours: dict[str, str]
) -> None:
    after_me, after_you = base | mine, base | yours
    one, other = merge(base, after_me, yours), merge(base, after_you, mine)
    assert one.conflicting == other.conflicting
    if not one.conflicting:
        assert saved(after_me, yours, one) == saved(after_you, mine, other)


@given(base=hashes, current=hashes, sent=hashes)
def test_no_change_of_either_side_is_lost(base: dict[str, str], current: dict[str, str], sent: dict[str, str]) -> None:
    found = merge(base, current, sent)
    assert not found.changes & found.conflicting
    after = saved(current, sent, found)
    for name in {*base, *current, *sent} - found.conflicting:
        if sent.get(name, base.get(name)) != base.get(name):
            assert after[name] == sent[name], "mine"
        else:
            assert after.get(name) == current.get(name), "theirs, or nobody's"


@given(current=hashes, sent=hashes)
def test_who_has_seen_the_present_one_is_never_refused(current: dict[str, str], sent: dict[str, str]) -> None:
    found = merge(current, current, sent)
    assert not found.conflicting and not found.kept
    assert saved(current, sent, found) == current | sent
