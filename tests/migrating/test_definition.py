"""A migration is found by its name, and what is wrong with it is told."""

from pathlib import Path

import pytest

from maquette.errors import InvalidInput, NotFound
from maquette.migrating import definition

_GOOD = """
from pydantic import BaseModel, JsonValue
from maquette.migrating.definition import DocumentMigration, Row

class Columns(BaseModel):
    body: JsonValue

class Mine(DocumentMigration):
    name = "mine"
    table = "things"
    columns = ("body",)
    model = Columns
    def transform(self, row: Row) -> Row:
        return {"body": row["body"]}
    def inverse(self, row: Row) -> Row:
        return {"body": row["body"]}
"""

_WRONG = {
    "def transform(self, row: Row) -> Row:\n": "def another(self, row: Row) -> Row:\n",
    '    columns = ("body",)\n': "",
    '("body",)': '("body", "id")',
    "    body: JsonValue": "    other: JsonValue",
    'name = "mine"': 'name = "yours"',
    "import BaseModel, JsonValue": "import NothingOfThatName",
}


def test_it_is_loaded_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(_GOOD)
    mine = definition.load("mine", tmp_path)
    assert mine.transform({"id": 1, "body": [1]}) == {"body": [1]}
    assert definition.names(tmp_path) == ["mine"]
    first = mine.digest()
    (tmp_path / "mine.py").write_text(_GOOD + "\n")
    assert definition.load("mine", tmp_path).digest() != first


@pytest.mark.parametrize("right", _WRONG)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, right: str) -> None:
    (tmp_path / "mine.py").write_text(_GOOD.replace(right, _WRONG[right]))
    with pytest.raises(InvalidInput, match=r"mine\.py"):
        definition.load("mine", tmp_path)


def test_one_that_is_not_there_tells_which_are(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(_GOOD)
    with pytest.raises(NotFound, match="there are mine") as told:
        definition.load("yours", tmp_path)
    assert told.value.code == "migration_not_found"
    with pytest.raises(InvalidInput):
        definition.load("../mine", tmp_path)
