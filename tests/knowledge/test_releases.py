from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge.documents import STAFF, Scope, content_hash
from knowledge.errors import (
    EmbedderUnavailable,
    ReleaseNotFound,
    StoreBusy,
    StoreDamaged,
    StoreUnavailable,
)
from knowledge.keywords import KeywordIndex
from knowledge.manifest import from_json, to_json
from knowledge.releases import KEPT_RELEASES, Failure, ReleaseStore
from knowledge.vectors import edit_vectors, seal
from tests.fakes import HashEmbedder
from tests.knowledge.corpus import Shaped, build, document, texts

INSTALL = document("install.md", "Install it with apt.", "Then start the service.")
REFUND = document("refund.md", "Refunds take five days.")


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "home")


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


def found(store: ReleaseStore, embedder: HashEmbedder, query: str, *audiences: str) -> set[str]:
    """Return the documents that either index finds."""
    scope = Scope(frozenset({"public", *audiences}))
    with store.open() as opened:
        near = opened.vectors.query(embedder.embed_query(query), scope, 50)
        worded = opened.keywords.query(query, scope, 50)
        chunks = opened.vectors.get(list({id_ for id_, _ in [*near, *worded]}))
        return {chunk.document_id for chunk in chunks.values()}


def test_an_empty_home_has_no_release(store: ReleaseStore) -> None:
    assert store.current_id() is None
    assert store.current() is None
    assert store.releases() == []
    assert store.failures() == []
    with pytest.raises(ReleaseNotFound, match="supportbot-ingest sync"):
        store.open()
    with pytest.raises(ReleaseNotFound):
        store.rollback()


def test_a_release_holds_what_was_put(store: ReleaseStore, embedder: HashEmbedder) -> None:
    release = build(store, embedder, [INSTALL, REFUND])
    assert store.current_id() == release.id
    assert store.current() == store.get(release.id) == release
    assert release.parent is None
    assert release.rebuilt
    assert release.sources == ("docs",)
    assert (release.embedder, release.chunk_count) == (embedder.fingerprint, 3)
    assert sorted(texts(store).values()) == [
        "Install it with apt.",
        "Refunds take five days.",
        "Then start the service.",
    ]
    assert found(store, embedder, "refunds") >= {"refund.md"}


def test_a_release_is_the_same_after_reading_it_from_disk(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    odd = document("日本語 🎉.md", 'tab\t "quote" \\', audiences=["b", "a"])
    release = build(store, embedder, [odd])
    assert ReleaseStore(store._home).current() == release


def test_the_rest_stays_when_one_document_changes(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    first = build(store, embedder, [INSTALL, REFUND])
    embedder.embedded.clear()
    changed = document("install.md", "Install it with apt.", "Then reboot.")
    second = build(store, embedder, [changed])
    assert second.parent == first.id
    assert not second.rebuilt
    assert sorted(texts(store).values()) == [
        "Install it with apt.",
        "Refunds take five days.",
        "Then reboot.",
    ]
    assert embedder.embedded.count(changed[1][1].indexed_text) >= 1
    assert "service" not in " ".join(texts(store).values())


def test_only_changed_passages_are_embedded(store: ReleaseStore, embedder: HashEmbedder) -> None:
    build(store, embedder, [INSTALL, REFUND])
    changed = document("install.md", "Install it with apt.", "Then reboot.")
    with store.lock(), store.begin(embedder=embedder, chunker="1", sources=[]) as builder:
        builder.put(*changed)
        builder.put(*REFUND)
        builder.finish()
        assert (builder.embedded, builder.reused) == (1, 2)


def test_a_renamed_document_is_not_embedded_again(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    page, chunks = document("guide.md", "One.", "Two.")
    build(store, embedder, [(page, chunks)])
    renamed, moved = document("guide-2.md", "One.", "Two.")
    moved = [chunk.__class__(**{**_fields(chunk), "title": chunks[0].title}) for chunk in moved]
    with store.lock(), store.begin(embedder=embedder, chunker="1", sources=[]) as builder:
        builder.remove("guide.md")
        builder.put(renamed, moved)
        release = builder.finish()
        assert builder.embedded == 0
    assert set(release.documents) == {"guide-2.md"}


def _fields(chunk: object) -> dict[str, object]:
    return {name: getattr(chunk, name) for name in chunk.__slots__}  # type: ignore[attr-defined]


def test_new_labels_count_even_where_the_text_is_the_same(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [INSTALL, REFUND])
    private = document("refund.md", "Refunds take five days.", audiences=[STAFF])
    assert private[1][0].id == REFUND[1][0].id
    build(store, embedder, [private])
    assert "refund.md" not in found(store, embedder, "refunds take five days")
    assert "refund.md" in found(store, embedder, "refunds take five days", STAFF)


def test_a_document_that_is_put_twice_counts_once(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    final = document("refund.md", "Refunds take six days.")
    build(store, embedder, [REFUND, document("refund.md", "No refunds."), final])
    assert list(texts(store).values()) == ["Refunds take six days."]


def test_a_document_that_is_put_and_removed_is_not_there(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [INSTALL, REFUND], remove=["refund.md", "unknown.md"])
    assert set(store.current().documents) == {"install.md"}
    assert len(texts(store)) == 2


def test_everything_may_be_removed(store: ReleaseStore, embedder: HashEmbedder) -> None:
    build(store, embedder, [INSTALL])
    build(store, embedder, remove=["install.md"])
    assert texts(store) == {}
    assert found(store, embedder, "install") == set()
    build(store, embedder, [REFUND])
    assert found(store, embedder, "refunds") == {"refund.md"}


def test_removed_text_is_in_no_file_of_the_new_release(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    pages = [document(f"p{i}.md", f"zebra{i}canary is here", "common words") for i in range(40)]
    build(store, embedder, pages)
    build(store, embedder, [document("p1.md", "nothing")], remove=["p2.md", "p3.md"])
    build(store, embedder, [document("p4.md", "nothing")], remove=["p5.md"])
    folder = store._home / "releases" / store.current_id()
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"zebra6canary" in data
    left = [i for i in range(40) if b"zebra%dcanary" % i in data]
    assert left == [0, *range(6, 40)]
    cached = b"".join(path.read_bytes() for path in store._home.glob("embeddings.sqlite*"))
    assert b"canary" not in cached


def test_an_unusable_vector_fails_its_document_and_nothing_else(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    class Sick(HashEmbedder):
        def embed_documents(self, texts: list[str]) -> np.ndarray:
            vectors = super().embed_documents(texts)
            return vectors * np.nan if any("sick" in text for text in texts) else vectors

    build(store, embedder, [REFUND])
    with store.lock(), store.begin(embedder=Sick(), chunker="1", sources=[]) as builder:
        builder.put(*document("refund.md", "a sick text"))
        builder.put(*INSTALL)
        failed = builder.embed()
        store.promote(builder.finish().id)
    assert failed.keys() == {"refund.md"}
    assert "the embedder gave vectors" in failed["refund.md"]
    assert "Refunds take five days." in texts(store).values()
    assert len(texts(store)) == 3


class Away(HashEmbedder):
    """Cannot be had for some texts."""

    def embed_documents(self, texts: list[str]) -> np.ndarray:
        if any("away" in text for text in texts):
            raise EmbedderUnavailable("the model is away")
        return super().embed_documents(texts)


def test_an_embedder_that_fails_one_document_fails_no_other(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [REFUND])
    with store.lock(), store.begin(embedder=Away(), chunker="1", sources=[]) as builder:
        builder.put(*document("refund.md", "far away"))
        builder.put(*INSTALL)
        assert builder.embed() == {"refund.md": "the model is away"}
        builder.put(*document("refund.md", "Refunds take six days."))
        assert builder.embed() == {}
        store.promote(builder.finish().id)
    assert "Refunds take six days." in texts(store).values()
    assert len(texts(store)) == 3


def test_an_embedder_that_is_not_there_is_no_fault_of_the_documents(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [REFUND])
    with (
        store.lock(),
        store.begin(embedder=Away(), chunker="1", sources=[]) as builder,
        pytest.raises(EmbedderUnavailable, match="away"),
    ):
        builder.put(*document("refund.md", "far away", *["away"] * 400))
    assert "Refunds take five days." in texts(store).values()


def test_the_passages_of_many_documents_are_embedded_together(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    calls = []

    class Counting(HashEmbedder):
        def embed_documents(self, texts: list[str]) -> np.ndarray:
            calls.append(len(texts))
            return super().embed_documents(texts)

    pages = [document(f"p{i}.md", f"text number {i}", f"end {i}") for i in range(300)]
    with store.lock(), store.begin(embedder=Counting(), chunker="1", sources=[]) as builder:
        for page in pages:
            builder.put(*page)
        assert builder.embed() == {}
    assert calls == [256, 256, 88]


def test_the_last_version_of_a_document_holds_though_the_first_is_the_one_before(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [REFUND, INSTALL])
    private = document("refund.md", "Refunds take five days.", audiences=[STAFF])
    build(store, embedder, [private, REFUND])
    assert "refund.md" in found(store, embedder, "refunds take five days")
    assert len(texts(store)) == 3


def test_two_passages_of_one_id_are_refused(store: ReleaseStore, embedder: HashEmbedder) -> None:
    page, chunks = REFUND
    with store.lock(), store.begin(embedder=embedder, chunker="1", sources=[]) as builder:
        builder.put(page, [*chunks, *chunks])
        builder.put(*INSTALL)
        assert builder.embed() == {"refund.md": "two of its passages have the same id"}
        assert builder.finish().documents.keys() == {"install.md"}


def test_another_embedder_embeds_everything_anew(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [INSTALL, REFUND])
    before = texts(store)
    other = HashEmbedder(dimension=32)
    release = build(store, other)
    assert release.rebuilt
    assert release.embedder == other.fingerprint
    assert texts(store) == before
    with store.open() as opened:
        ids = sorted(release.chunk_ids)
        assert {len(vector) for vector in opened.vectors.vectors(ids).values()} == {32}


@pytest.mark.parametrize("options", [{"chunker": "2"}, {"rebuild": True}])
def test_a_release_that_is_built_anew_holds_the_same(
    store: ReleaseStore, embedder: HashEmbedder, options: dict[str, object]
) -> None:
    build(store, embedder, [INSTALL, REFUND])
    before = texts(store)
    embedder.embedded.clear()
    release = build(store, embedder, [document("new.md", "New.")], **options)
    assert release.rebuilt
    assert texts(store).items() >= before.items()
    assert len(texts(store)) == 4


def test_indexes_are_built_anew_once_much_was_removed(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [document(f"p{i}.md", f"text {i}") for i in range(4)])
    rebuilt = []
    for turn in range(6):
        release = build(store, embedder, [document("p0.md", f"turn {turn}")])
        rebuilt.append(release.rebuilt)
        assert len(texts(store)) == 4
    assert rebuilt == [False, False, False, True, False, False]


def test_an_index_that_lacks_a_passage_is_built_anew(
    store: ReleaseStore, embedder: HashEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    release = build(store, embedder, [INSTALL])
    index = KeywordIndex.open(store._home / "releases" / release.id / "keywords")
    index.remove([INSTALL[1][0].id])
    index.commit()
    index.close()
    mended = build(store, embedder, [REFUND])
    assert mended.rebuilt
    assert "2 passages in the keyword index" in caplog.text
    assert len(texts(store)) == 3


def test_a_release_that_lost_a_passage_for_good_is_not_promoted(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    release = build(store, embedder, [INSTALL])
    folder = store._home / "releases" / release.id / "chroma"
    with closing(edit_vectors(folder)) as vectors:
        vectors.remove([INSTALL[1][0].id])
    seal(folder)
    with pytest.raises(StoreDamaged, match="does not hold what it lists"):
        build(store, embedder, [REFUND])
    assert store.current() == release
    assert build(store, embedder, [INSTALL, REFUND], is_empty=True).chunk_count == 3
    assert len(texts(store)) == 3


def test_a_release_with_the_vectors_of_other_texts_is_found_out(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    class Backwards(HashEmbedder):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            return super().embed_query(text[::-1])

    release = build(store, Backwards(), [INSTALL])
    with pytest.raises(StoreDamaged, match="has another text's vector"):
        build(store, embedder, [REFUND])
    assert store.current() == release


def test_a_builder_that_is_left_early_leaves_nothing(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    release = build(store, embedder, [INSTALL])

    def fail_half_way() -> None:
        with store.lock(), store.begin(embedder=embedder, chunker="1", sources=[]) as builder:
            builder.put(*REFUND)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert [path.name for path in (store._home / "releases").iterdir()] == [release.id]
    assert store.current() == release


def test_an_unpromoted_release_is_not_in_force_and_goes_with_the_next(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    first = build(store, embedder, [INSTALL])
    refused = build(store, embedder, [REFUND], promote=False)
    assert store.current_id() == first.id
    assert "Refunds take five days." in texts(store, refused.id).values()
    third = build(store, embedder, [document("new.md", "New.")])
    assert third.parent == first.id
    assert {release.id for release in store.releases()} == {first.id, third.id}


def test_only_a_release_that_was_never_promoted_is_discarded(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    first = build(store, embedder, [document("a.md", "Apples are red.")])
    draft = build(store, embedder, [document("b.md", "Bananas are yellow.")], promote=False)
    with store.lock():
        store.discard(draft.id)
        store.discard(first.id)
    assert [release.id for release in store.releases()] == [first.id]
    assert store.current_id() == first.id


def test_the_newest_releases_are_kept_and_listed_newest_first(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    made = [
        build(store, embedder, [document("p.md", f"turn {turn}")])
        for turn in range(KEPT_RELEASES + 2)
    ]
    assert store.releases() == made[: -KEPT_RELEASES - 1 : -1]


def test_an_open_release_outlives_its_successors(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [INSTALL])
    with store.open() as old:
        for turn in range(KEPT_RELEASES + 1):
            build(store, embedder, [document("install.md", f"turn {turn}")])
        hits = old.vectors.query(embedder.embed_query("service"), Scope(), 9)
        assert {id_ for id_, _ in hits} == {chunk.id for chunk in INSTALL[1]}
        assert old.keywords.query("service", Scope(), 9)
    build(store, embedder, [REFUND])
    assert len(store.releases()) == KEPT_RELEASES


def test_rollback_goes_back_step_by_step(store: ReleaseStore, embedder: HashEmbedder) -> None:
    made = [build(store, embedder, [document("p.md", f"turn {turn}")]) for turn in range(4)]
    assert store.rollback() == made[2]
    assert list(texts(store).values()) == ["turn 2"]
    assert store.rollback() == made[1]
    assert store.rollback(made[3].id) == made[3]
    assert store.rollback(made[0].id) == store.current() == made[0]
    after = build(store, embedder, [REFUND])
    assert after.parent == made[0].id
    assert store.rollback() == made[0]


@pytest.mark.parametrize("name", ["", "..", "20260101T000000-aaaaaa", "../../etc", "x" * 300])
def test_an_unknown_release_is_said_so(
    store: ReleaseStore, embedder: HashEmbedder, name: str
) -> None:
    build(store, embedder, [INSTALL])
    for call in (store.get, store.open, store.promote, store.rollback):
        with pytest.raises(ReleaseNotFound):
            call(name)


def test_a_reader_sees_a_promotion_at_once(store: ReleaseStore, embedder: HashEmbedder) -> None:
    reader = ReleaseStore(store._home)
    for turn in range(3):
        release = build(store, embedder, [document("p.md", f"turn {turn}")])
        assert reader.current_id() == release.id
        assert reader.current() == release
        assert reader.current() is reader.current()


def test_begin_needs_the_lock(store: ReleaseStore, embedder: HashEmbedder) -> None:
    with pytest.raises(RuntimeError):
        store.begin(embedder=embedder, chunker="1", sources=[])


def test_a_second_writer_is_told_who_holds_the_lock(store: ReleaseStore) -> None:
    other = ReleaseStore(store._home)
    with store.lock(), pytest.raises(StoreBusy, match=r"process \d+"), other.lock():
        pass
    with other.lock():
        pass


def test_failures_are_kept_for_the_next_look(store: ReleaseStore) -> None:
    failures = [Failure("a.pdf", "encrypted"), Failure("ü.md", "not UTF-8")]
    store.record_failures(failures)
    assert ReleaseStore(store._home).failures() == failures
    store.record_failures([])
    assert store.failures() == []
    (store._home / "failures.json").write_text("[{]")
    assert store.failures() == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [truncate, zero, flip, empty, Path.unlink])
@pytest.mark.parametrize("name", ["manifest.json", "chroma.sqlite3", "header.bin", "meta.json"])
def test_damage_is_named_and_a_build_from_nothing_mends_it(
    store: ReleaseStore, embedder: HashEmbedder, name: str, harm: Callable[[Path], None]
) -> None:
    first = build(store, embedder, [INSTALL])
    build(store, embedder, [REFUND])
    folder = store._home / "releases" / store.current_id()
    harm(next(folder.rglob(name)))
    reader = ReleaseStore(store._home)
    with pytest.raises(StoreDamaged, match="sync"):
        reader.open()
    with pytest.raises(StoreDamaged, match="sync"):
        build(reader, embedder, [INSTALL, REFUND])
    mended = build(reader, embedder, [INSTALL, REFUND], is_empty=True)
    assert mended.parent is None
    assert len(texts(reader)) == 3
    assert reader.rollback(first.id) == first


@pytest.mark.parametrize("content", [b"", b"\0" * 24, b"no such thing\n", b"../../etc\n", b"\xff"])
def test_a_damaged_pointer_is_named_and_can_be_mended(
    store: ReleaseStore, embedder: HashEmbedder, content: bytes
) -> None:
    first = build(store, embedder, [INSTALL])
    second = build(store, embedder, [REFUND])
    pointer = store._home / "current"
    pointer.write_bytes(content)
    for call in (store.current_id, store.current, store.open):
        with pytest.raises(StoreDamaged, match="current"):
            call()
    assert store.rollback(first.id) == store.current() == first
    pointer.write_bytes(content)
    assert {release.id for release in store.releases()} == {first.id, second.id}
    assert build(store, embedder, [INSTALL], is_empty=True).parent is None


def boilerplate(count: int) -> list[Shaped]:
    """Return documents that are all alike, down to the vector."""
    page, [passage] = document("terms.md", "All rights are reserved.")
    names = [f"terms-{i}.md" for i in range(count)]
    return [
        (
            replace(page, id=name),
            [replace(passage, id=content_hash(name)[:16], document_id=name)],
        )
        for name in names
    ]


def manuals(count: int) -> list[Shaped]:
    words = [f"w{i}" for i in range(2_000)]
    chance = random.Random(1)
    return [document(f"m{i}.md", " ".join(chance.sample(words, 30))) for i in range(count)]


def assert_each_is_found_first(store: ReleaseStore, pages: list[Shaped]) -> None:
    with store.open() as opened:
        # Their own vectors: among so many equal ones the last bit decides which way a search takes.
        own = opened.vectors.vectors([passage.id for _, [passage] in pages])
        for _, [passage] in pages:
            [(found, cosine)] = opened.vectors.query(own[passage.id], Scope(), 1)
            [hit] = opened.vectors.get([found]).values()  # of those that are alike, any
            assert (hit.text, cosine) == (passage.text, pytest.approx(1, abs=1e-4))


def test_boilerplate_keeps_no_passage_from_being_found_and_no_release_from_being_built(
    store: ReleaseStore,
) -> None:
    embedder = HashEmbedder(384)
    alike, others = boilerplate(600), manuals(270)
    build(store, embedder, [*alike, *others])
    assert_each_is_found_first(store, [*alike, *others])
    # Later ones cut off others again, and those that are listed can go.
    unreached = set(store.current().unreached)
    gone = [page.id for page, [chunk] in others if chunk.id in unreached][:5]
    more = boilerplate(700)[600:]
    for _ in range(2):
        release = build(store, embedder, more, remove=gone)
        assert set(release.unreached) <= release.chunk_ids
        left = [page for page in others if page[0].id not in gone]
        assert_each_is_found_first(store, [*alike, *more, *left])
        more = manuals(290)[270:]
    assert len(texts(store)) == 700 + 20 + len(left)


def test_what_is_listed_as_out_of_reach_is_found_and_no_longer_listed_once_it_is_reached(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    build(store, embedder, [INSTALL, REFUND])
    path = store._home / "releases" / store.current_id() / "manifest.json"
    listed = tuple(chunk.id for _, chunks in (INSTALL, REFUND) for chunk in chunks)
    path.write_text(to_json(replace(store.current(), unreached=listed)))
    store = ReleaseStore(store._home)
    assert found(store, embedder, "refunds") == {"install.md", "refund.md"}
    release = build(store, embedder, [document("refund.md", "No refunds.")])
    assert release.unreached == ()
    assert found(store, embedder, "refunds") == {"install.md", "refund.md"}


def test_a_manifest_without_a_list_of_unreached_passages_is_read(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    release = build(store, embedder, [INSTALL])
    path = store._home / "releases" / release.id / "manifest.json"
    body = json.loads(path.read_text())["release"]
    del body["unreached"]
    digest = content_hash(json.dumps(body, sort_keys=True))
    path.write_text(json.dumps({"release": body, "sha256": digest, "version": 1}, sort_keys=True))
    assert ReleaseStore(store._home).current() == release


def test_a_manifest_is_plain_json_and_reads_as_it_was_written(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    release = build(store, embedder, [INSTALL, REFUND])
    path = store._home / "releases" / release.id / "manifest.json"
    assert to_json(from_json(path.read_text(), str(path))) == path.read_text()
    assert sorted(json.loads(path.read_text())["release"]["documents"]) == [
        "install.md",
        "refund.md",
    ]


def test_a_manifest_of_a_newer_version_says_so(store: ReleaseStore, embedder: HashEmbedder) -> None:
    release = build(store, embedder, [INSTALL])
    path = store._home / "releases" / release.id / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(StoreDamaged, match="update supportbot"):
        ReleaseStore(store._home).open()


def test_a_lost_cache_costs_only_time(store: ReleaseStore, embedder: HashEmbedder) -> None:
    build(store, embedder, [INSTALL, REFUND])
    (store._home / "embeddings.sqlite").write_bytes(b"\0" * 100)
    release = build(store, embedder, [document("new.md", "New.")], rebuild=True)
    assert release.chunk_count == 4
    assert len(texts(store)) == 4


def test_a_home_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    store = ReleaseStore(tmp_path / "home")
    with pytest.raises(StoreUnavailable, match=re.escape(str(tmp_path))), store.lock():
        pass


def test_many_small_documents_are_written_in_batches(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    pages: list[Shaped] = [document(f"p{i}.md", f"text number {i}") for i in range(2_100)]
    release = build(store, embedder, pages)
    assert release.chunk_count == 2_100
    second = build(store, embedder, [document("p7.md", "changed")], remove=["p8.md"])
    assert second.chunk_count == 2_099
    assert len(texts(store)) == 2_099
