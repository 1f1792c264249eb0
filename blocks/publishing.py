"""The Prefect block of where drafts are published to."""

from typing import Literal

from pydantic import Field, SecretStr

from blocks.choice import ChoiceBlock, changed
from maquette.settings import Settings


class PublisherBlock(ChoiceBlock):
    """Where drafts are published to: the production database, and the bucket of their files."""

    _block_type_name = "Maquette publisher"
    _block_type_slug = "maquette-publisher"

    production_url: SecretStr | None = Field(
        None, title="Production URL", description="PostgreSQL URL of the production database, with its password."
    )
    bucket: Literal["folder", "gcs", "supabase"] = Field(
        "folder", title="Bucket", description="Where the files go; folder is below the worker's home."
    )
    bucket_name: str | None = Field(None, title="Bucket name", description="Name of the bucket.")
    bucket_public_url: str | None = Field(
        None, title="Public URL", description="Address below which the files are read; by default the bucket's own."
    )
    supabase_url: str | None = Field(
        None, title="Supabase URL", description="Address of the Supabase project, for its bucket."
    )
    supabase_key: SecretStr | None = Field(
        None, title="Supabase key", description="Service key of the Supabase project, for its bucket."
    )

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices."""
        changes: dict[str, object] = {
            "production_url": self.production_url,
            "bucket_name": self.bucket_name,
            "bucket_public_url": self.bucket_public_url,
            "supabase_url": self.supabase_url,
            "supabase_key": self.supabase_key,
        }
        return changed(settings, changes, bucket=self.bucket)
