"""What a media file is, found by reading it to its end: a file that was cut short is no clip."""

from pathlib import Path

import av
from av.video.frame import VideoFrame
from pydantic import BaseModel, ConfigDict

from maquette.errors import MediaError

# A container may announce this much more than its packets hold; a missing tail is longer.
_SLACK_S = 0.3


class Probe(BaseModel):
    """Facts of one video file. Sizes are those that a player shows (rotation applied)."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    fps: float
    frame_count: int
    video_duration_s: float
    audio_duration_s: float | None
    duration_s: float
    video_codec: str
    audio_codec: str | None
    sample_rate: int | None
    channels: int | None
    pix_fmt: str
    color_space: int
    color_primaries: int
    color_transfer: int
    color_range: int
    size_bytes: int

    @property
    def has_audio(self) -> bool:
        """Whether there is an audio stream with something in it."""
        return self.audio_duration_s is not None

    @property
    def is_bt709(self) -> bool:
        """Tagged as BT.709 in limited range (ITU-T H.273 code points 1, 1, 1)."""
        return (self.color_space, self.color_primaries, self.color_transfer, self.color_range) == (1, 1, 1, 1)


def probe(path: Path) -> Probe:
    """Read ``path`` to its end without decoding more than the first picture.

    Raises ``MediaError`` for a file that is missing, empty, no video, or cut short. Costs about a
    millisecond per megabyte.
    """
    if not path.is_file():
        raise MediaError(f"there is no file {path.name}")
    size_bytes = path.stat().st_size
    if not size_bytes:
        raise MediaError("the file is empty")
    try:
        return _read(path, size_bytes)
    except av.FFmpegError as error:
        raise MediaError(f"the file is no readable video, or is cut short ({error.strerror})") from error


def _read(path: Path, size_bytes: int) -> Probe:
    with av.open(path) as container:
        if not container.streams.video:
            raise MediaError("the file has no video")
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        announced = {s.index: s.frames for s in (video, audio) if s is not None}
        counted = dict.fromkeys(announced, 0)
        starts: dict[int, float] = {}
        ends = dict.fromkeys(announced, 0.0)
        picture: VideoFrame | None = None
        for packet in container.demux([s for s in (video, audio) if s is not None]):
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.is_corrupt:
                raise MediaError("the file is cut short or damaged: download it again")
            index = packet.stream.index
            counted[index] += 1
            start_s = float(packet.pts * packet.time_base)
            starts[index] = min(starts.get(index, start_s), start_s)
            ends[index] = max(ends[index], start_s + float((packet.duration or 0) * packet.time_base))
            if picture is None and index == video.index:
                picture = next((f for f in packet.decode() if isinstance(f, VideoFrame)), None)
        if not counted[video.index]:
            raise MediaError("the file has no video frames")
        whole_s = (container.duration or 0) / av.time_base + max(0.0, (container.start_time or 0) / av.time_base)
        cut = any(counted[index] < frames for index, frames in announced.items() if frames)
        if cut or max(ends.values()) < whole_s - _SLACK_S:
            raise MediaError(
                f"the file is cut short: {max(ends.values()):.1f} s of {whole_s:.1f} s arrived; download it again"
            )
        if picture is None:  # B-frames may hold the first picture back
            container.seek(0)
            picture = next(container.decode(video), None)
        if picture is None:
            raise MediaError("the video cannot be decoded")
        turned = round(abs(picture.rotation)) % 180 == 90
        video_s = ends[video.index] - starts[video.index]
        heard = audio is not None and counted[audio.index] > 0
        audio_s = ends[audio.index] - max(0.0, starts[audio.index]) if audio is not None and heard else None
        rate = video.average_rate or video.guessed_rate
        context = video.codec_context
        return Probe(
            width=picture.height if turned else picture.width,
            height=picture.width if turned else picture.height,
            fps=float(rate) if rate else 0.0,
            frame_count=counted[video.index],
            video_duration_s=video_s,
            audio_duration_s=audio_s,
            duration_s=max(video_s, audio_s or 0.0),
            video_codec=context.name,
            audio_codec=audio.codec_context.name if audio is not None and heard else None,
            sample_rate=audio.codec_context.sample_rate if audio is not None and heard else None,
            channels=audio.codec_context.channels if audio is not None and heard else None,
            pix_fmt=picture.format.name,
            color_space=int(context.colorspace),
            color_primaries=int(context.color_primaries),
            color_transfer=int(context.color_trc),
            color_range=int(context.color_range),
            size_bytes=size_bytes,
        )
