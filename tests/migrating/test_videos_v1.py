"""What becomes of the documents of the older video systems."""

import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maquette.migrating import exact
from maquette.migrating.reversible import ASIDE, ReversibleMigration
from tests.migrating import manga

MIGRATION = cast(ReversibleMigration, manga.migration("videos_v1"))
SAMPLES = manga.ROOT.parent / "shared" / "data" / "videos"
STATE = "2026-02-01 20:38:15+00"

FIRST = {
    "video_id": "video_20251101_101500",
    "operations": [
        {"scene_index": 1,
         "prompt": 'Suite de la scène précédente. Une rivière.\n\nDialogue à générer en audio: "Oui."',
         "status": "abandoned", "retry_count": 3, "operation_name": "operations/b"},
        {"scene_index": 0, "prompt": "Un pont.", "status": "success", "retry_count": 0, "lens": 35},
        {"scene_index": 2, "prompt": "", "status": "pending", "retry_count": 1},
    ],
    "lang": "fr",
}  # fmt: skip
SECOND = {
    "video_id": "video_20260201_203648",
    "script_file": "video_20260201_203648/script_v2.json",
    "operations": {"1": "operations/one", "2": "operations/two"},
    "clips_status": {"1": "completed", "2": "error"},
    "status": "generating_parallel",
    "total_blocks": 2,
    "completed_blocks": 1,
    "blocks": [
        {"bloc": 1, "dialogue": "Bonsoir.", "visuel": "Un pont.", "duration": 8},
        {"bloc": 2, "dialogue": "", "visuel": "Une rivière.", "duration": 7},
    ],
    "retry_count": 0,
    "created_at": "2026-02-01T20:36:55Z",
    "updated_at": "2026-02-01T20:38:15Z",
}
SHAPES: dict[str, Any] = {
    "one operation": {"scene_index": 2, "prompt": "Une rivière.", "status": "failed", "retry_count": 2},
    "operations": FIRST,
    "bare list": FIRST["operations"],
    "counted from 1": {"scenes": [{"scene_index": 1, "status": "success"}, {"scene_index": 2, "status": "success"}]},
    "second": SECOND,
    "second, nested": {
        **{key: value for key, value in SECOND.items() if key not in ("clips_status", "completed_blocks")},
        "operations": {"1": {"status": "uploaded", "operation_id": "operations/one"}, "2": {"status": "error"}},
    },
    "state": {"status": "generating_video", "current_step": "parallel_generation", "theme": "Le sucre",
              "blocks_count": 5, "duration": 36, "updated_at": "2026-02-01T20:38:15Z"},
    "state of an error": {"status": "error", "error_message": "Assemblage échoué", "blocks_count": "5", "step": 3},
    "script": {"video_id": "v", "theme": "t", "blocks": [{"bloc": 1, "visuel": "x", "mood": "calm"}, 7],
               "raw_script": ""},
    "null": None,
    "scalar": 12,
    "empty": {},
}  # fmt: skip


def transformed(document: Any, **columns: Any) -> Any:
    return MIGRATION.transform({"id": "key", "updated_at": STATE, "data": document, **columns})["data"]


def inverted(document: Any, **columns: Any) -> Any:
    return MIGRATION.inverse({"id": "key", "updated_at": STATE, "data": document, **columns})["data"]


def assert_laws(document: Any) -> None:
    before = exact.dumps(document)
    new = transformed(document)
    MIGRATION.model.model_validate({"data": new})
    assert exact.dumps(transformed(new)) == exact.dumps(new)
    assert exact.dumps(inverted(new)) == exact.dumps(document) == before


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_goes_there_and_back(name: str) -> None:
    assert_laws(SHAPES[name])


ANYTHING = manga.JSON | manga.mutated(st.sampled_from(list(SHAPES.values())))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING)
def test_any_json_goes_there_and_back(document: Any) -> None:
    assume(not MIGRATION.is_marked(document))
    assert_laws(document)
    assert all(
        isinstance(each, str) for each in MIGRATION.oddities({"id": "key", "updated_at": None, "data": document})
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manga.mutated(st.sampled_from([transformed(each) for each in SHAPES.values()])))
def test_an_edited_document_comes_back_from_its_old_shape(new: Any) -> None:
    assume(MIGRATION.is_new(new))
    old = inverted(new)
    assert exact.dumps(transformed(old)) == exact.dumps(new)


def test_operations_become_blocks_and_states() -> None:
    new = transformed(FIRST)
    assert new["operations"] == {"2": "operations/b"}
    assert new["clips_status"] == {"1": "completed", "2": "failed", "3": "generating"}
    assert new["blocks"] == [
        {"bloc": 1, "dialogue": "", "visuel": "Un pont.", "duration": 8},
        {"bloc": 2, "dialogue": "Oui.", "visuel": "Une rivière.", "duration": 7},
    ]
    counted = {key: new[key] for key in ("total_blocks", "completed_blocks", "retry_count", "status")}
    assert counted == {"total_blocks": 3, "completed_blocks": 1, "retry_count": 3, "status": "generating_parallel"}
    assert new["updated_at"] == "2026-02-01T20:38:15.000Z"
    assert new["metadata"]["legacy"] == {"operations": FIRST["operations"], "lang": "fr"}


def test_one_operation_is_one_block_of_its_number() -> None:
    new = transformed(SHAPES["one operation"])
    assert (new["video_id"], new["status"], new["clips_status"]) == ("key", "failed", {"3": "failed"})
    assert new["blocks"] == [{"bloc": 3, "dialogue": "", "visuel": "Une rivière.", "duration": 7}]


def test_scenes_may_be_counted_from_one() -> None:
    new = transformed(SHAPES["counted from 1"])
    assert (new["clips_status"], new["status"]) == ({"1": "completed", "2": "completed"}, "ready_for_assembly")


def test_names_that_differ_become_one() -> None:
    nested = transformed(SHAPES["second, nested"])
    assert nested["operations"] == {"1": "operations/one"}
    assert nested["clips_status"] == {"1": "completed", "2": "error"}
    assert nested["completed_blocks"] == 1
    state = transformed(SHAPES["state"])
    assert (state["status"], state["total_blocks"], state["theme"]) == ("generating_parallel", 5, "Le sucre")
    failed = transformed(SHAPES["state of an error"])
    assert (failed["status"], failed["total_blocks"]) == ("failed", 0)
    assert failed["metadata"]["legacy"] == {"status": "error", "blocks_count": "5", "step": 3}
    script = transformed(SHAPES["script"])
    assert script["blocks"] == [{"bloc": 1, "visuel": "x", "dialogue": "", "duration": 8, "mood": "calm"}]
    assert script["status"] == "script_generated"
    assert transformed({"final_url": "gs://films/final.mp4"})["status"] == "completed"


def test_the_second_systems_documents_stay_to_the_byte() -> None:
    assert transformed(SECOND) is SECOND
    assert inverted(SECOND) is SECOND


def test_an_edited_video_is_seen_by_old_programs() -> None:
    new = transformed(FIRST)
    new = {**new, "clips_status": {**new["clips_status"], "3": "completed"}, "theme": "Le pont"}
    old = inverted(new)
    assert [each["status"] for each in old["operations"]] == ["success", "failed", "success"]
    assert [each["scene_index"] for each in old["operations"]] == [0, 1, 2]
    assert old["operations"][1]["prompt"] == FIRST["operations"][0]["prompt"]  # type: ignore[index]

    old["operations"][1]["status"] = "success"
    again = transformed(old)
    assert (again["status"], again["theme"]) == ("ready_for_assembly", "Le pont")
    assert again["blocks"] == new["blocks"]
    assert_laws(old)


@pytest.mark.parametrize("wrong", [{ASIDE: {}}, {"blocks_count": 5}, {"status": "error"}, {"total_blocks": True}])
def test_the_model_refuses_old_names(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MIGRATION.model.model_validate({"data": {**SECOND, **wrong}})


def test_oddities_have_names() -> None:
    found = {name: list(MIGRATION.oddities({"id": "key", "data": document})) for name, document in SHAPES.items()}
    assert {name: odd for name, odd in found.items() if odd} == {
        "one operation": ["no video_id"],
        "operations": ["unknown key: lang", "abandoned clip"],
        "bare list": ["not an object"],
        "counted from 1": ["no video_id"],
        "state": ["no video_id"],
        "state of an error": ["unknown key: step", "no video_id"],
        "script": ["status is missing"],
        "null": ["not an object"],
        "scalar": ["not an object"],
        "empty": ["no video_id", "status is missing"],
    }


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the systems' own samples are not at hand")
def test_the_systems_own_samples() -> None:
    documents = json.loads((SAMPLES / "example_firestore_docs.SYNTHETIC.json").read_text("utf-8"))
    script = json.loads((SAMPLES / "example_script_v2.SYNTHETIC.json").read_text("utf-8"))
    for document in (*documents.values(), script):
        assert_laws(document)
    assert transformed(documents["v2_veo_operations"]) == documents["v2_veo_operations"]
    assert transformed(script)["blocks"] == script["blocks"]
