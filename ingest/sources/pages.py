"""One page of the web as a source."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ingest.config import SourceSettings
from ingest.fetching import web_address
from ingest.parsers import ENDINGS
from ingest.sources.base import Labels
from ingest.sources.visits import POLITE, Manners, Visits
from ingest.sources.web import WebSource
from knowledge.failures import Failure


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, manners: Manners = POLITE
) -> WebSource:
    """Return the page at an address; whoever names it wants it, whatever it asks of robots."""
    return WebSource(settings, labels, home, partial(_survey, settings.place), manners)


def _survey(place: str, visits: Visits) -> None:
    url = web_address(place).url
    seen = visits.visit(url)
    if seen and url not in visits.failed and seen.ending not in ENDINGS:
        reason = f"not a kind of document that can be read ({seen.ending})"
        visits.failures.append(Failure(seen.id, reason))
