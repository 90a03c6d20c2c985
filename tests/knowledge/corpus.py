"""Small documents for tests of the store."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge.documents import Chunk, Document, content_hash
from knowledge.embedder import Embedder
from knowledge.releases import Release, ReleaseStore

Shaped = tuple[Document, list[Chunk]]


def document(name: str, *texts: str, audiences: Iterable[str] = ("public",)) -> Shaped:
    """Return a document whose chunks are these texts."""
    labels = frozenset(audiences)
    chunks = [
        Chunk(
            id=content_hash(f"{name}\n{ordinal}\n{text}")[:16],
            document_id=name,
            title=name.removesuffix(".md"),
            uri=f"https://example.com/{name}",
            heading_path=("Help",),
            text=text,
            ordinal=ordinal,
            audiences=labels,
        )
        for ordinal, text in enumerate(texts)
    ]
    hashed = content_hash("\n".join(texts) + str(sorted(labels)))
    page = Document(name, name, f"https://example.com/{name}", "docs", hashed, labels)
    return page, chunks


def build(
    store: ReleaseStore,
    embedder: Embedder,
    put: Iterable[Shaped] = (),
    remove: Iterable[str] = (),
    *,
    chunker: str = "1",
    rebuild: bool = False,
    is_empty: bool = False,
    promote: bool = True,
) -> Release:
    """Make a release with these changes, as a sync does."""
    with store.lock():
        with store.begin(
            embedder=embedder,
            chunker=chunker,
            sources=["docs"],
            rebuild=rebuild,
            is_empty=is_empty,
        ) as builder:
            for shaped in put:
                builder.put(*shaped)
            for name in remove:
                builder.remove(name)
            release = builder.finish()
        store.check_files(release.id)
        if promote:
            store.promote(release.id)
    return release


def texts(store: ReleaseStore, release_id: str | None = None) -> dict[str, str]:
    """Return the text of every passage of a release, by id, after checking that all agree."""
    with store.open(release_id) as opened:
        ids = sorted(opened.release.chunk_ids)
        chunks = opened.vectors.get(ids)
        assert opened.vectors.ids() == set(ids) == set(chunks)
        assert opened.keywords.count() == opened.release.chunk_count == len(ids)
        assert opened.vectors.unreachable(ids) == []
        assert opened.release.documents.keys() == {chunk.document_id for chunk in chunks.values()}
        return {id_: chunk.text for id_, chunk in chunks.items()}
