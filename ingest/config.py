"""Settings of the pipeline."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from knowledge.config import KnowledgeSettings, setting
from knowledge.documents import PUBLIC


class SourceSettings(BaseModel):
    """One source of documents: where it is and what holds for all that it lists."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: str = Field(min_length=1)
    base_url: HttpUrl | None = None  # where customers read it: `install.md` -> base_url/install
    audience: str = Field(PUBLIC, min_length=1)


class IngestSettings(KnowledgeSettings):
    """All that the pipeline needs beyond the knowledge base."""

    sources: tuple[SourceSettings, ...] = setting(
        about="`[[sources]]` in the file: `path`, `base_url`, `audience`; for a plain `sync`",
        valid="tables with `path`, and `base_url` or `audience` where wanted",
        shown="none",
        default=(),
    )
