"""Orphans go, everything that a row refers to stays."""

from maquette.db.engine import Database
from maquette.library import service as library
from maquette.storage.port import Store


def test_only_files_without_a_row_and_past_the_grace_are_swept(database: Database, store: Store) -> None:
    keys = []
    for text in ("kept", "orphan"):
        made = store.temporary(".txt")
        made.write_text(text)
        keys.append(store.put(made))
    with database.begin() as session:
        library.add(session, keys[0], subject="video_a", kind="clip")
    assert library.sweep(database, store, older_than_s=3600) == 0
    assert library.sweep(database, store, older_than_s=-5) == 1
    assert [store.exists(file.key) for file in keys] == [True, False]
