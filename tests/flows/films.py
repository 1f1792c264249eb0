"""Films made by runs of the flow, and the books that are kept of them."""

import json

from flows.video import make_video
from maquette.db.engine import Database
from maquette.journal import service as journal
from maquette.settings import Settings
from maquette.videos.documents import VideoDocument
from maquette.videos.models import VideoBrief
from maquette.videos.service import Placed, Videos

BRIEF = VideoBrief(theme="Les risques du sucre", target_duration=15)
ONE_BLOCK = VideoBrief(theme="Les risques du sucre", target_duration=8)


async def run(videos: Videos, placed: Placed) -> VideoDocument:
    """The video after one run of the flow, failed or not."""
    state = await make_video(job_id=placed.job_id, return_state=True)
    video = videos.get(placed.video_id)
    assert state.is_completed() == (video.status == "completed")
    return video


def paid(settings: Settings) -> list[tuple[int, str, int]]:
    """The provider's own log: block, outcome, price."""
    log = settings.home / "provider-local" / "submissions.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sorted((line["number"], line["outcome"], line["cost_micros"]) for line in lines)


def assert_books_agree(database: Database, settings: Settings, video: VideoDocument) -> None:
    with database.begin() as session:
        assert journal.total_micros(session, video.video_id) == sum(price for _, _, price in paid(settings))
