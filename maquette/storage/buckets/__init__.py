"""Where published files go: a port and its adapters."""

from typing import Final

from maquette.errors import ConfigurationError
from maquette.settings import Settings
from maquette.storage.buckets.port import Bucket, check_name
from maquette.storage.buckets.retries import RetryingBucket

FOLDER: Final = "buckets"  # below the home; readers find it at /storage/buckets


def bucket_from_settings(settings: Settings) -> Bucket:
    """The bucket of the settings. Raises ``ConfigurationError`` that names what is missing."""
    name, public_url = check_name(settings.bucket_name), settings.bucket_public_url
    match settings.bucket:
        case "folder":
            from maquette.storage.buckets.folder import FolderBucket

            root = settings.home.expanduser().absolute() / FOLDER / name
            return FolderBucket(root, public_url=public_url or f"/storage/{FOLDER}/{name}")
        case "gcs":
            from maquette.storage.buckets.gcs import GcsBucket

            return RetryingBucket(GcsBucket(name, project=settings.google_project, public_url=public_url))
        case "supabase":
            from maquette.storage.buckets.supabase import SupabaseBucket

            if settings.supabase_url is None or settings.supabase_key is None:
                raise ConfigurationError(
                    "the bucket is at Supabase: set MAQUETTE_SUPABASE_URL and MAQUETTE_SUPABASE_KEY, "
                    "or MAQUETTE_BUCKET to folder"
                )
            key = settings.supabase_key.get_secret_value()
            return RetryingBucket(SupabaseBucket(name, url=settings.supabase_url, key=key, public_url=public_url))
