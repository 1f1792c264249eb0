"""Settings, read once from the environment (prefix ``MAQUETTE_``); nothing else reads it."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Fault = Literal["fail", "refuse", "stall", "lose-answer", "throttle", "broken-clip"]


class Settings(BaseSettings):
    """Every field can be set as ``MAQUETTE_<NAME>``; the defaults run on one machine without keys."""

    model_config = SettingsConfigDict(env_prefix="MAQUETTE_", extra="ignore")

    home: Path = Field(Path(".maquette"), description="Folder of database, assets, logs and the Prefect server's data.")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the application database; empty starts the embedded server below the home."
    )
    code_root: Path | None = Field(
        None,
        description="Folder that holds prefect.yaml; by default the checkout, or the current folder.",
    )

    api_host: str = Field("127.0.0.1", description="Address that the API binds to; off loopback it needs a token.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port of the HTTP API.")
    api_token: SecretStr | None = Field(None, description="Bearer token that every API call must carry.")
    api_max_body_bytes: int = Field(1_000_000, ge=1_000, description="Largest request body that is read, in bytes.")
    access_code: SecretStr | None = Field(
        None,
        min_length=8,
        max_length=8,
        description="Code of 8 characters that creating a video asks for; off by default.",
    )
    cors_origins: list[str] = Field(
        [f"http://{host}{port}" for host in ("localhost", "127.0.0.1") for port in ("", ":80", ":5173", ":3000")],
        description="Origins of browser clients that may call the API, as a JSON list.",
    )
    prefect_host: str = Field("127.0.0.1", description="Address that the embedded Prefect server binds to.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the embedded Prefect server.")
    prefect_api_url: str | None = Field(
        None, description="API of a Prefect server of your own; empty starts one below the home."
    )
    worker_limit: int = Field(4, ge=1, description="Flow runs that one worker runs at a time.")
    worker_spares: int = Field(2, ge=0, le=32, description="Children that a warm worker keeps ready for the next runs.")
    worker_preload: list[str] | None = Field(
        None,
        description="Modules that a warm worker imports once, as a JSON list; by default those that the deployments "
        "of prefect.yaml in its folder name.",
    )

    lease_s: float = Field(60, gt=0, description="Life of an attempt's lease, in seconds of the database's clock.")
    lease_renew_s: float = Field(15, gt=0, description="Seconds between two renewals of a lease.")
    dispatch_poll_s: float = Field(5, gt=0, description="Seconds between two looks at the queue without notifications.")
    reconcile_s: float = Field(30, gt=0, description="Seconds between two passes of the reconciler.")
    dispatch_grace_s: float = Field(
        60, gt=0, description="Seconds after which a job that was sent and never claimed is looked up in Prefect."
    )
    video_deadline_s: float = Field(3600, gt=0, description="Seconds that one attempt of a video may take in all.")
    picture_deadline_s: float = Field(
        1800, gt=0, description="Seconds that one attempt of images or of a carousel may take in all."
    )
    job_max_attempts: int = Field(3, ge=1, description="Attempts that one job gets before it fails.")
    retry_base_s: float = Field(
        60, ge=0, description="Base of the delay before another attempt: 2^attempt times this, give or take 20 %."
    )
    breaker_base_s: float = Field(
        30, ge=0, description="Seconds for which a provider that is out of service is left alone; doubled each time."
    )
    outage_patience_s: float = Field(
        86_400, gt=0, description="Seconds for which a job waits for a provider that is out of service, in all."
    )
    dispatch_window: int = Field(
        8, ge=1, description="Flow runs of one queue that wait for a worker at a time; the rest waits in our queue."
    )
    ageing_s: float = Field(
        300, gt=0, description="Seconds of waiting after which a job of a free brand counts as premium."
    )
    draft_deadline_s: float = Field(3600, gt=0, description="Seconds that one attempt of a draft may take in all.")
    media_keep_days: int = Field(30, ge=1, description="Days for which finished images, carousels and clips are kept.")
    history_keep_days: int = Field(
        30, ge=1, description="Days for which events, answers to repeated requests and old Prefect runs are kept."
    )
    orphan_grace_s: float = Field(
        3600, gt=0, description="Age in seconds from which a file that nothing refers to is removed."
    )

    draft: bool = Field(False, description="Films at a quarter of their size, to rehearse cheaply.")
    clip_provider: str = Field("local", description="Provider of video clips: local, replicate or veo.")
    clip_model: str | None = Field(None, description="Model of the clip provider; empty takes the catalogue's first.")
    clip_tries: int = Field(4, ge=1, description="Submissions that one block gets: the first and three retries.")
    clip_backoff_s: float = Field(2, ge=0, description="Base of the exponential delay between tries, in seconds.")
    clip_timeout_s: float = Field(900, gt=0, description="Seconds that a provider may work on one clip.")
    clip_poll_s: float = Field(0.5, gt=0, description="Seconds between two looks at a clip's operation.")
    clip_concurrency: int = Field(2, ge=1, description="Clips that may be under way at the clip provider at once.")
    replicate_api_token: SecretStr | None = Field(None, description="Token of Replicate.")
    replicate_base_url: str | None = Field(None, description="Other address of Replicate's API.")
    google_project: str | None = Field(None, description="Google Cloud project for Veo.")
    google_location: str = Field("us-central1", description="Google Cloud location for Veo.")
    google_base_url: str | None = Field(None, description="Other address of Google's API.")

    image_provider: str = Field("local", description="Provider of images: local, replicate or gemini.")
    image_model: str | None = Field(None, description="Model of the image provider; empty takes the catalogue's first.")
    image_timeout_s: float = Field(300, gt=0, description="Seconds that a provider may work on one image.")
    image_poll_s: float = Field(0.5, gt=0, description="Seconds between two looks at an image's operation.")
    image_concurrency: int = Field(4, ge=1, description="Images that may be under way at the image provider at once.")
    google_api_key: SecretStr | None = Field(None, description="API key of Google's Gemini models.")
    cache_across_brands: bool = Field(
        False, description="An equal request of another brand may be answered with the same image."
    )

    loop_provider: str = Field("local", description="Provider of loops from pictures: local or replicate.")
    loop_model: str | None = Field(None, description="Model of the loop provider; empty takes the catalogue's first.")
    loop_timeout_s: float = Field(900, gt=0, description="Seconds that a provider may work on one loop.")
    loop_poll_s: float = Field(0.5, gt=0, description="Seconds between two looks at a loop's operation.")
    loop_concurrency: int = Field(2, ge=1, description="Loops that may be under way at the loop provider at once.")
    music_provider: str = Field("local", description="Provider of songs: local or replicate.")
    music_model: str | None = Field(None, description="Model of the music provider; empty takes the catalogue's first.")
    music_timeout_s: float = Field(600, gt=0, description="Seconds that a provider may work on one song.")
    music_poll_s: float = Field(0.5, gt=0, description="Seconds between two looks at a song's operation.")
    music_concurrency: int = Field(2, ge=1, description="Songs that may be under way at the music provider at once.")

    prompts_file: Path | None = Field(
        None,
        description="Prompts of drafts by theme; by default storage/prompts_defaults.yaml below the home, where it is.",
    )
    production_url: SecretStr | None = Field(
        None,
        description="PostgreSQL URL of the database that drafts are published to; empty takes the database "
        "`production` of the embedded server.",
    )
    migrate_url: SecretStr | None = Field(
        None,
        description="PostgreSQL URL of the database that `maquette migrate` works on; empty is the application's own.",
    )
    bucket: Literal["folder", "gcs", "supabase"] = Field(
        "folder", description="Where published files go: folder (below the home), gcs or supabase."
    )
    bucket_name: str = Field("univers", min_length=1, description="Name of the bucket of published files.")
    bucket_public_url: str | None = Field(
        None, description="Address below which the bucket's files are read; by default the store's own."
    )
    supabase_url: str | None = Field(None, description="Address of the Supabase project, for its bucket.")
    supabase_key: SecretStr | None = Field(None, description="Service key of the Supabase project, for its bucket.")

    project_max_body_bytes: int = Field(
        10_000_000, ge=1_000, description="Largest project that one save may send, in bytes."
    )
    project_versions_kept: int = Field(
        100, ge=1, description="Overwritten versions of a project that are kept, the newest ones."
    )

    text_provider: str = Field("local", description="Writer of scripts: local, or openai for any compatible server.")
    openai_base_url: str | None = Field(None, description="Address of the OpenAI-compatible server, with its /v1.")
    openai_api_key: SecretStr | None = Field(None, description="Key of the OpenAI-compatible server.")
    openai_model: str = Field("gpt-5-mini", description="Model that writes scripts.")
    text_timeout_s: float = Field(120, gt=0, description="Seconds that a model may take to write a script.")

    local_price_micros_per_s: int = Field(
        0, ge=0, description="Pretended price of local clips per second, in micro-dollars, to rehearse costs."
    )
    local_price_micros_per_image: int = Field(
        0, ge=0, description="Pretended price of a local image, in micro-dollars, to rehearse costs."
    )
    local_price_micros_per_loop: int = Field(
        0, ge=0, description="Pretended price of a local loop, in micro-dollars, to rehearse costs."
    )
    local_price_micros_per_song: int = Field(
        0, ge=0, description="Pretended price of a local song, in micro-dollars, to rehearse costs."
    )
    local_loop_faults: dict[int, list[Fault]] = Field(
        {},
        description="Rehearsed faults of local loops, as JSON: item number to the faults of its submissions.",
    )
    local_music_faults: dict[int, list[Fault]] = Field(
        {},
        description="Rehearsed faults of local songs, as JSON: item number to the faults of its submissions.",
    )
    local_image_faults: dict[int, list[Fault]] = Field(
        {},
        description="Rehearsed faults of local images, as JSON: item number to the faults of its submissions.",
    )
    local_faults: dict[int, list[Fault]] = Field(
        {},
        description="Rehearsed faults of local clips, as JSON: block number to the faults of its submissions.",
    )
    local_stall_s: float = Field(3600, ge=0, description="Seconds for which a stalled local operation hangs.")
    local_instant: bool = Field(
        False, description="Local clips are small prepared ones, at once; for benchmarks and tests."
    )

    crash_at: str | None = Field(
        None, description="Named point at which a run stops and waits to be killed; for rehearsals only."
    )


@lru_cache
def get_settings() -> Settings:
    """The process's settings; raises ``pydantic.ValidationError`` that names the wrong variable."""
    return Settings()
