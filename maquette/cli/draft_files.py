"""Where a draft's files are on this machine."""

from pathlib import Path
from uuid import UUID

from maquette.cli.opening import Opened
from maquette.drafts import repository
from maquette.drafts.documents import whole
from maquette.drafts.folder import files_of, root_of


def files_by_asset(opened: Opened, draft_id: str) -> dict[UUID, Path]:
    """The draft's files by the library's assets, in its folder. Raises ``NotFound``, ``StorageError``.

    The files there are links: asking for them puts back those that somebody removed.
    """
    with opened.database.begin() as session:
        found = whole(session, repository.get_draft(session, draft_id))
    folder = root_of(opened.settings) / found.draft.folder
    named = {asset_id: folder / name for name, asset_id in files_of(found).items()}
    if not all(path.exists() for path in named.values()):
        opened.drafts.rewrite(draft_id)
    return {asset_id: path for asset_id, path in named.items() if path.exists()}
