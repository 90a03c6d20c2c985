from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from knowledge.documents import Chunk, Document, Scope, content_hash
from knowledge.embedder import Embedder
from knowledge.errors import EmbedderMismatch, EmbedderUnavailable, ReleaseNotFound
from knowledge.keywords import KeywordIndex
from knowledge.releases import Release, ReleaseStore
from knowledge.retriever import Retriever, fuse
from knowledge.sufficiency import is_sufficient
from tests.fakes import HashEmbedder, MemoryVectors

PUBLIC = Scope()
PAGES = {
    "password.md": "Reset your password on the account page.",
    "refund.md": "Refunds take five days.",
    "error.md": "Error E-4012 means that the disk is full.",
}


class OpenedRelease:
    """A release of memory; it records that it was closed and what was asked of it since."""

    def __init__(self, release: Release, vectors: MemoryVectors, keywords: KeywordIndex) -> None:
        self.release = release
        self.vectors = vectors
        self.keywords = keywords
        self.closed = 0

    def close(self) -> None:
        self.closed += 1
        self.vectors.close()
        self.keywords.close()


class Releases:
    """Stands in for the release store: publishes pages, hands out releases and records that."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self.embedder = embedder
        self.contents: dict[str, tuple[Release, Sequence[Chunk]]] = {}
        self.current: str | None = None
        self.opened: list[OpenedRelease] = []
        self.openings = threading.Semaphore(0)

    def publish(
        self,
        pages: dict[str, str],
        audiences: frozenset[str] = frozenset({"public"}),
        embedder: str = "",
    ) -> str:
        chunks = [
            Chunk(f"{id_}#0", id_, id_.removesuffix(".md"), id_, (), text, 0, audiences)
            for id_, text in pages.items()
        ]
        documents = {
            id_: Document(id_, id_, id_, "pages", content_hash(text), audiences, "", (f"{id_}#0",))
            for id_, text in pages.items()
        }
        release = Release(
            id=f"r{len(self.contents) + 1}",
            parent=self.current,
            created_at=datetime.now(UTC),
            embedder=embedder or self.embedder.fingerprint,
            chunker="1",
            sources=("pages",),
            documents=documents,
            chunk_count=len(chunks),
            rebuilt=False,
        )
        self.contents[release.id] = (release, chunks)
        self.current = release.id
        return release.id

    def current_id(self) -> str | None:
        return self.current

    def get(self, release_id: str) -> Release:
        return self.contents[release_id][0]

    def open(self, release_id: str) -> OpenedRelease:
        release, chunks = self.contents[release_id]
        vectors = MemoryVectors()
        vectors.add(chunks, HashEmbedder().embed_documents([c.indexed_text for c in chunks]))
        keywords = KeywordIndex.open(self.folder / f"{release_id}-{len(self.opened)}")
        keywords.add(chunks)
        keywords.commit()
        self.opened.append(OpenedRelease(release, vectors, keywords))
        self.openings.release()
        return self.opened[-1]


class SlowEmbedder(HashEmbedder):
    """Waits inside a question until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_inside = threading.Event()
        self.may_go = threading.Event()

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self.is_inside.set()
        assert self.may_go.wait(30)
        return super().embed_query(text)


class Meeting:
    """Lets callers go on only when so many are there at once; no lock may be held around it."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count, timeout=30)
        self.is_open = False

    def join(self) -> None:
        if self.is_open:
            self._barrier.wait()


class MeetingReleases(Releases):
    """Meets where the pointer is read, in both indexes and where passages are loaded."""

    def __init__(self, folder: Path, embedder: Embedder, meeting: Meeting) -> None:
        super().__init__(folder, embedder)
        self._meeting = meeting

    def current_id(self) -> str | None:
        self._meeting.join()
        return super().current_id()

    def open(self, release_id: str) -> OpenedRelease:
        opened, meeting = super().open(release_id), self._meeting

        class MeetingVectors(MemoryVectors):
            def query(
                self, vector: NDArray[np.float32], scope: Scope, limit: int
            ) -> list[tuple[str, float]]:
                meeting.join()
                return super().query(vector, scope, limit)

            def get(self, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
                meeting.join()
                return super().get(chunk_ids)

        opened.vectors, rows = MeetingVectors(), opened.vectors.rows
        opened.vectors.rows = rows
        return opened


class MeetingModel(HashEmbedder):
    """Meets inside the embedding model, and inside the reranker."""

    def __init__(self, meeting: Meeting) -> None:
        super().__init__()
        self._meeting = meeting

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self._meeting.join()
        return super().embed_query(text)

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self._meeting.join()
        return [0.0] * len(texts)


class LengthReranker:
    """Prefers short texts."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        return [-float(len(text)) for text in texts]


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path, HashEmbedder())


@pytest.fixture
def retriever(releases: Releases) -> Iterator[Retriever]:
    opened = Retriever(releases, HashEmbedder())
    yield opened
    opened.close()
    assert all(release.closed == 1 for release in releases.opened)


def documents(retriever: Retriever, query: str, scope: Scope = PUBLIC, limit: int = 8) -> list[str]:
    return [chunk.document_id for chunk in retriever.retrieve(query, scope, limit).chunks]


def test_the_passage_that_speaks_of_it_comes_first(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    assert documents(retriever, "how do I reset a password?")[0] == "password.md"
    assert documents(retriever, "what is e4012")[0] == "error.md"


def test_the_evidence_says_what_each_arm_found(releases: Releases, retriever: Retriever) -> None:
    releases.publish(PAGES)
    evidence = retriever.retrieve(" refunds take ", PUBLIC, 2)
    best, second = evidence.hits
    assert (evidence.query, evidence.release) == ("refunds take", "r1")
    assert best.chunk.document_id == "refund.md"
    assert best.score == pytest.approx(1.0)
    assert best.similarity == evidence.top_similarity > 0.4
    assert best.keyword_score is not None
    assert best.keyword_score > 0
    assert second.keyword_score is None
    assert evidence.keyword_coverage == pytest.approx(1.0)
    assert set(evidence.timings_ms) == {"embed", "dense", "keywords", "load", "total"}


def test_documents_can_be_passed_over_as_if_they_were_not_there(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    query = "How do I reset my password?"
    whole = retriever.retrieve(query, PUBLIC)
    without = retriever.retrieve(query, PUBLIC, without={"password.md"})
    releases.publish({name: text for name, text in PAGES.items() if name != "password.md"})
    gone = retriever.retrieve(query, PUBLIC)
    assert whole.chunks[0].document_id == "password.md"
    assert [hit.chunk.id for hit in without.hits] == [hit.chunk.id for hit in gone.hits]
    assert without.top_similarity == pytest.approx(gone.top_similarity)
    assert without.keyword_coverage < whole.keyword_coverage


def test_a_release_can_be_searched_before_it_is_current(releases: Releases) -> None:
    current = releases.publish(PAGES)
    new = releases.publish({"rates.md": "Interest rates rise."})
    releases.current = current
    pinned = Retriever(releases, HashEmbedder(), release_id=new)
    assert pinned.retrieve("refunds", PUBLIC).release == new
    assert documents(pinned, "interest rates") == ["rates.md"]
    pinned.close()


def test_coverage_is_low_where_no_passage_holds_the_words(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    assert retriever.retrieve("zeppelin harbour days", PUBLIC).keyword_coverage < 0.4


@pytest.mark.parametrize("query", ["", " \n", "…", "🎉"])
def test_a_question_without_words_is_no_error(
    releases: Releases, retriever: Retriever, query: str
) -> None:
    releases.publish(PAGES)
    retriever.retrieve(query, PUBLIC)


def test_one_arm_alone_uses_nothing_of_the_other(releases: Releases) -> None:
    releases.publish(PAGES, embedder="another model")
    embedder = SlowEmbedder()  # would never come back
    bm25 = Retriever(releases, embedder, mode="bm25")
    evidence = bm25.retrieve("refunds", PUBLIC)
    assert [hit.chunk.document_id for hit in evidence.hits] == ["refund.md"]
    assert (evidence.hits[0].similarity, evidence.top_similarity) == (None, 0.0)
    bm25.close()
    releases.publish(PAGES)
    dense = Retriever(releases, HashEmbedder(), mode="dense")
    evidence = dense.retrieve("refunds", PUBLIC)
    assert len(evidence.hits) == 3
    assert {hit.keyword_score for hit in evidence.hits} == {None}
    dense.close()


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
def test_nothing_outside_the_scope_is_found(releases: Releases, mode: str) -> None:
    releases.publish(PAGES, audiences=frozenset({"staff"}))
    retriever = Retriever(releases, HashEmbedder(), mode=mode)
    assert documents(retriever, "refunds take five days") == []
    assert retriever.retrieve("refunds", PUBLIC).top_similarity == 0.0
    assert documents(retriever, "refunds take five days", Scope.of("staff"))[0] == "refund.md"
    retriever.close()


def test_a_keyword_index_with_old_labels_opens_nothing(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    retriever.ping()
    vectors = releases.opened[0].vectors
    for id_, (chunk, vector) in vectors.rows.items():
        closed = Chunk(**{**fields(chunk), "audiences": frozenset({"staff"})})
        vectors.rows[id_] = (closed, vector)
    assert documents(retriever, "refunds take five days") == []


def fields(chunk: Chunk) -> dict[str, object]:
    return {name: getattr(chunk, name) for name in Chunk.__slots__}


def test_a_scope_that_allows_all_that_is_listed_still_shows_nothing_else(tmp_path: Path) -> None:
    store, embedder = ReleaseStore(tmp_path), HashEmbedder()
    with store.lock(30), store.begin(embedder=embedder, chunker="1", sources=["pages"]) as builder:
        # As if a label had been lost between the index and the manifest.
        for id_, audience in (("open.md", "public"), ("closed.md", "customer")):
            labels = frozenset({audience})
            chunk = Chunk(f"{id_}#0", id_, id_, id_, (), f"Refunds of {id_}.", 0, labels)
            builder.put(Document(id_, id_, id_, "pages", content_hash(id_)), [chunk])
        store.promote(builder.finish().id)
    retriever = Retriever(store, embedder)
    evidence = retriever.retrieve("Refunds of closed.md", PUBLIC)
    [hit] = evidence.hits
    assert hit.chunk.document_id == "open.md"
    assert evidence.top_similarity == hit.similarity
    retriever.close()


def test_a_passage_that_cannot_be_loaded_is_left_out(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    retriever.ping()
    releases.opened[0].vectors.remove(["refund.md#0"])
    found = documents(retriever, "refunds take five days")
    assert "refund.md" not in found
    assert len(found) == 2


def test_at_most_the_limit_is_returned(releases: Releases, retriever: Retriever) -> None:
    releases.publish({f"{n}.md": f"refund rule number{n}" for n in range(30)})
    assert len(documents(retriever, "refund", limit=5)) == 5
    assert len(documents(retriever, "refund", limit=100)) == 30


def test_an_empty_knowledge_base_says_how_to_fill_it(
    releases: Releases, retriever: Retriever
) -> None:
    with pytest.raises(ReleaseNotFound, match="supportbot-ingest sync"):
        retriever.ping()
    releases.publish({})
    assert retriever.retrieve("anything", PUBLIC).is_empty


def test_a_promotion_is_followed_at_the_next_question(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    assert "refund.md" in documents(retriever, "refunds")
    releases.publish({"new.md": "Refunds take two days now."})
    assert documents(retriever, "refunds") == ["new.md"]
    assert [release.closed for release in releases.opened] == [1, 0]
    releases.current = "r1"
    assert "refund.md" in documents(retriever, "refunds")


def test_a_release_stays_open_until_the_last_question_in_it_is_answered(
    releases: Releases,
) -> None:
    releases.publish(PAGES)
    embedder = SlowEmbedder()
    retriever = Retriever(releases, embedder)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(retriever.retrieve, "refunds", PUBLIC)
        assert embedder.is_inside.wait(30)
        releases.publish({"new.md": "Refunds take two days now."})
        second = pool.submit(retriever.retrieve, "refunds", PUBLIC)
        assert all(releases.openings.acquire(timeout=30) for _ in range(2))
        assert releases.opened[0].closed == 0
        embedder.may_go.set()
        assert first.result().release == "r1"
        assert second.result().release == "r2"
    assert [release.closed for release in releases.opened] == [1, 0]
    retriever.close()


def test_no_question_fails_while_releases_come_and_go(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)

    def ask(n: int) -> bool:
        if n % 25 == 0:
            releases.publish({**PAGES, f"{n}.md": f"page{n}"})
        return "refund.md" in documents(retriever, "refunds")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))
    assert sum(release.closed == 0 for release in releases.opened) == 1


def test_questions_at_once_wait_for_each_other_at_no_stage(tmp_path: Path) -> None:
    meeting = Meeting(8)
    model = MeetingModel(meeting)
    releases = MeetingReleases(tmp_path, model, meeting)
    releases.publish(PAGES)
    retriever = Retriever(releases, model, model)
    retriever.ping()
    meeting.is_open = True  # from here on, one that queues behind another breaks the meeting
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(retriever.retrieve, f"refunds {n}", PUBLIC, context=f"error {n}")
            for n in range(8)
        ]
        assert all(one.result().hits for one in asked)
    retriever.close()


def test_a_closed_retriever_opens_again_when_asked(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    retriever.ping()
    retriever.close()
    retriever.close()
    assert [release.closed for release in releases.opened] == [1]
    assert documents(retriever, "refunds")


def test_another_embedding_model_is_refused_with_what_to_run(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES, embedder="another model")
    with pytest.raises(EmbedderMismatch, match="supportbot-ingest sync") as caught:
        retriever.ping()
    assert "another model" in str(caught.value)
    assert releases.opened == []


def test_the_open_release_answers_on_when_the_next_needs_another_model(
    releases: Releases, retriever: Retriever, caplog: pytest.LogCaptureFixture
) -> None:
    releases.publish(PAGES)
    retriever.ping()
    changed = {**PAGES, "refund.md": "Refunds take two days."}
    del changed["password.md"]
    releases.publish(changed, embedder="another model")
    with caplog.at_level(logging.WARNING):
        assert documents(retriever, "refunds and passwords and errors") == ["error.md"]
        assert documents(retriever, "refunds and passwords and errors") == ["error.md"]
    assert len(caplog.records) == 1
    assert "another model" in caplog.text
    releases.publish(PAGES)
    assert "refund.md" in documents(retriever, "refunds")


def test_an_unusable_vector_is_a_clear_error(releases: Releases) -> None:
    class BrokenEmbedder(HashEmbedder):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            raise ValueError("the embedding model gave a vector that is zero or not finite")

    releases.publish(PAGES)
    retriever = Retriever(releases, BrokenEmbedder())
    with pytest.raises(EmbedderUnavailable, match="not finite"):
        retriever.ping()
    retriever.close()
    assert releases.opened[0].closed == 1


def test_a_reranker_has_the_last_word(releases: Releases) -> None:
    pages = {f"{n}.md": "refund " + "word " * n for n in range(50)}
    releases.publish(pages)
    retriever = Retriever(releases, HashEmbedder(), LengthReranker())
    evidence = retriever.retrieve("word", PUBLIC, 50)
    lengths = [len(hit.chunk.indexed_text) for hit in evidence.hits[:40]]
    assert lengths == sorted(lengths)
    scores = [hit.score for hit in evidence.hits]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 50
    assert "rerank" in evidence.timings_ms
    retriever.close()


def publish(store: ReleaseStore, pages: dict[str, str]) -> None:
    """Make the real store hold exactly these pages."""
    embedder = HashEmbedder()
    with store.lock(30), store.begin(embedder=embedder, chunker="1", sources=["pages"]) as builder:
        for id_ in set(builder.parent.documents if builder.parent else ()) - set(pages):
            builder.remove(id_)
        for id_, text in pages.items():
            chunk = Chunk(f"{id_}#{content_hash(text)[:8]}", id_, id_, id_, (), text, 0)
            builder.put(Document(id_, id_, id_, "pages", content_hash(text)), [chunk])
        release = builder.finish()
        store.promote(release.id)


def test_questions_go_on_while_the_real_store_is_published_to(tmp_path: Path) -> None:
    publish(ReleaseStore(tmp_path), PAGES)
    retriever = Retriever(ReleaseStore(tmp_path), HashEmbedder())
    is_done = threading.Event()
    asked: list[list[str]] = []

    def ask() -> None:
        while not is_done.is_set():
            asked.append(documents(retriever, "how long do refunds take"))

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for n in range(6):
            publish(ReleaseStore(tmp_path), {**PAGES, f"{n}.md": f"Page number{n}."})
        is_done.set()
        for one in asking:
            one.result()
    assert asked
    assert all(found[0] == "refund.md" for found in asked)
    retriever.close()


def test_what_left_the_real_store_is_not_found_at_the_next_question(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    publish(store, PAGES)
    retriever = Retriever(store, HashEmbedder())
    assert documents(retriever, "E-4012")[0] == "error.md"
    publish(store, {"refund.md": PAGES["refund.md"]})
    assert documents(retriever, "E-4012") == ["refund.md"]
    store.rollback()
    assert documents(retriever, "E-4012")[0] == "error.md"
    retriever.close()


RESULTS = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 50)).map(
    lambda found: sorted(found.items(), key=lambda item: -item[1])
)


@given(RESULTS, RESULTS, st.floats(0.1, 0.9))
def test_fusion_keeps_every_result_once_best_first_between_zero_and_one(
    dense: list[tuple[str, float]], keywords: list[tuple[str, float]], weight: float
) -> None:
    fused = fuse(dense, keywords, weight)
    assert {id_ for id_, _ in fused} == {id_ for id_, _ in [*dense, *keywords]}
    assert len(fused) == len({id_ for id_, _ in fused})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in scores)
    assert fused == fuse(dense[::-1], keywords[::-1], weight)


def test_what_both_arms_find_beats_what_one_finds() -> None:
    dense = [("meaning", 0.9), ("both", 0.8), ("far", 0.1)]
    keywords = [("words", 9.0), ("both", 8.0), ("poor", 1.0)]
    assert fuse(dense, keywords, 0.5)[0][0] == "both"
    assert fuse(dense, keywords, 0.9)[0][0] == "meaning"


def test_a_page_past_its_last_day_is_found_no_more_without_a_sync(tmp_path: Path) -> None:
    store, embedder = ReleaseStore(tmp_path), HashEmbedder()
    with store.lock(30), store.begin(embedder=embedder, chunker="1", sources=["pages"]) as builder:
        for id_, last in (("old.md", "2020-01-31"), ("new.md", "2999-12-31")):
            chunk = Chunk(f"{id_}#0", id_, id_, id_, (), "How long refunds take.", 0)
            page = Document(id_, id_, id_, "pages", content_hash(id_), valid_until=last)
            builder.put(page, [chunk])
        store.promote(builder.finish().id)
    retriever = Retriever(store, embedder)
    assert documents(retriever, "how long do refunds take") == ["new.md"]
    retriever.close()


def test_a_follow_up_is_searched_with_what_was_asked_before(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    evidence = retriever.retrieve("How long?", PUBLIC, context="How do I reset my password?")
    assert evidence.chunks[0].document_id == "password.md"
    assert evidence.keyword_coverage > retriever.retrieve("How long?", PUBLIC).keyword_coverage


def test_a_question_that_leaves_the_subject_wins_over_what_was_asked_before(
    releases: Releases, retriever: Retriever
) -> None:
    releases.publish(PAGES)
    evidence = retriever.retrieve("How long do refunds take?", PUBLIC, context="reset password")
    assert evidence.chunks[0].document_id == "refund.md"


class TwoLanguageEmbedder(HashEmbedder):
    """Puts German words where their English translations are, as multilingual models do."""

    german = "wie lange dauert eine erstattung wer wird weltmeister im fußball"
    english = "how long takes a refund who becomes champion in football"

    def embed_query(self, text: str) -> NDArray[np.float32]:
        words = dict(zip(self.german.split(), self.english.split(), strict=True))
        told = re.findall(r"\w+", text.casefold())
        return super().embed_query(" ".join(words.get(word, word) for word in told))


def test_a_question_in_another_language_suffices_by_its_meaning_alone(tmp_path: Path) -> None:
    releases = Releases(tmp_path, HashEmbedder())
    releases.publish({"refunds.md": "How long a refund takes is told in the mail that you get."})
    retriever = Retriever(releases, TwoLanguageEmbedder())
    found = retriever.retrieve("Wie lange dauert eine Erstattung?", PUBLIC)
    assert found.chunks[0].document_id == "refunds.md"
    assert found.keyword_coverage == found.top_similarity > 0.5
    assert is_sufficient(found)
    other = retriever.retrieve("Wer wird Weltmeister im Fußball?", PUBLIC)
    assert not is_sufficient(other)
    retriever.close()
