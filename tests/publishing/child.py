"""A process of its own that publishes once, to be killed: ``python -m tests.publishing.child <what to publish>``."""

import sys
from pathlib import Path

from pydantic import BaseModel

from maquette.db.engine import Database
from maquette.publishing.connection import connect
from maquette.publishing.models import Universe, UniverseFile
from maquette.publishing.service import Publisher
from maquette.publishing.target import Production
from maquette.storage.buckets.folder import FolderBucket


class Task(BaseModel):
    """What the process needs to know."""

    database_url: str
    production_url: str
    bucket: Path
    bucket_url: str
    universe: Universe
    files: list[UniverseFile]


if __name__ == "__main__":
    task = Task.model_validate_json(Path(sys.argv[1]).read_bytes())
    publisher = Publisher(
        Database(task.database_url),
        Production(connect(task.production_url)),
        FolderBucket(task.bucket, public_url=task.bucket_url),
        files_at_once=1,  # so that it is stopped when one file is there and the others are not
    )
    publisher.publish(task.universe, task.files, subject="draft_child", content_hash="hash")
