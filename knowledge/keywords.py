"""BM25 over the passages: exact words, names and codes, in any script.

The only importer of tantivy. The text is cut into terms here and indexed as such; a question is cut
alike and becomes a list of terms, so nothing in it can be read as query syntax.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
import threading
import unicodedata
import zlib
from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.documents import STAFF, Chunk, Scope
from knowledge.errors import StoreDamaged, StoreUnavailable
from knowledge.files import remove_folder

if TYPE_CHECKING:
    import tantivy

# Scripts written without spaces between words, and Hangul, whose particles cling to the word.
_RUN = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# `\w` leaves out the combining marks without which a Hindi or pointed Hebrew word falls apart.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0966-\u0dff"
)
_LETTER = rf"(?:(?![{_RUN}])[\w{_MARKS}])"
# A run of a spaceless script, or a word with what clings to it: `--flag`, `/etc/hosts`, `c++`.
_TOKEN = re.compile(
    rf"(?P<run>[{_RUN}]+)"
    rf"|(?:(?<![\w.])[$#@.~/\-]{{1,3}})?{_LETTER}+(?:[-./:@+#=\\]{{1,3}}{_LETTER}+)*[+#]{{0,2}}"
)
_PART = re.compile(rf"(?:(?![\d_]){_LETTER})+|\d+")
# Left out before cutting: soft hyphens, the possessive s, commas that group digits.
_DROPPED = re.compile(r"\u00ad|(?<=\w)['’]s\b|(?<=\d),(?=\d{3}(?!\d))")
_PLAIN = re.compile(r"[a-z]{3,}")
_MAX_TERM = 100  # characters; what is longer is no word anybody types
_MAX_QUERY_TERMS = 256
# Of what was said before, against the question itself: of 0.3, 0.4 and 0.5 the best on follow-ups
# without harm to questions that need nothing from before. The vectors are mixed by it too.
CONTEXT_WEIGHT = 0.4
# How somebody asks, not what about: common in questions and rare in documents, so that their weight
# misleads. Words such as `on`, `off` and `not` stay.
_ASKING = """
a an the and or if that this these those there it its i me my we us our you your he she they them
is are was were am be been do does did has have had can could will would shall should may might must
how what when where who whom whose which why to of for from by at with about as
"""
_WRITER_BYTES = 50_000_000
_SEAL = "seal.json"  # checksums of the files: tantivy opens damaged ones and fails while searching


def tokenize(text: str) -> list[str]:
    """Return the terms of a text in any script, in order.

    Words are casefolded (after NFKC) and cut to their English stem; a code such as `E-4012`,
    `v2.3.1`, `--flag`, `foo_bar` or `/etc/hosts` gives itself whole and then its parts; scripts
    without spaces give overlapping pairs of characters.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    terms: list[str] = []
    for match in _TOKEN.finditer(_DROPPED.sub("", folded)):
        token = match.group()
        if match.lastgroup:
            terms += [token[i : i + 2] for i in range(max(1, len(token) - 1))]
        elif token.isalpha():
            terms.append(token[:_MAX_TERM])
        else:
            terms += _code_terms(token)
    return _stemmed(terms)


def _code_terms(token: str) -> list[str]:
    parts = [part[:_MAX_TERM] for part in _PART.findall(token)]
    return parts if parts == [token] or len(token) > _MAX_TERM else [token, *parts]


def _stemmed(terms: list[str]) -> list[str]:
    import Stemmer

    # One object a call: it must not be shared between threads. 0: no cache that would grow.
    stem = Stemmer.Stemmer("english", 0).stemWord
    return [stem(term) if _PLAIN.fullmatch(term) else term for term in terms]


def query_terms(text: str, context: str = "") -> dict[str, float]:
    """Return the terms of a question and their weights, the context's further terms included.

    Those that only ask are left out where others stand.
    """
    weights = dict.fromkeys(tokenize(text)[:_MAX_QUERY_TERMS], 1.0)
    for term in tokenize(context)[:_MAX_QUERY_TERMS]:
        weights.setdefault(term, CONTEXT_WEIGHT)
    asked = {term: weight for term, weight in weights.items() if term not in asking_terms()}
    return asked or weights


@cache
def asking_terms() -> frozenset[str]:
    return frozenset(tokenize(_ASKING))


class KeywordIndex:
    """The keyword index of one release, in a folder of its own.

    Readers see what the last `commit` wrote before they opened it. One writer at a time; any
    number of threads may read.
    """

    def __init__(self, folder: Path, index: tantivy.Index) -> None:
        self._folder = folder
        self._index = index
        self._searcher = index.searcher()
        self._writer: tantivy.IndexWriter | None = None
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> KeywordIndex:
        """Open the index in a folder, or create it where there is none.

        Raises:
            StoreDamaged: files of the index are missing or not as they were written.
            StoreUnavailable: the folder cannot be read, or not be written where there is none.
        """
        try:
            if not folder.exists() or not any(folder.iterdir()):
                return cls(folder, _create(folder))
            _check_seal(folder)
            return cls(folder, _open(folder))
        except (ValueError, FileNotFoundError) as error:
            raise _damaged(folder, error) from error
        except OSError as error:
            raise _unavailable(folder, error) from error

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks whose ids are not in the index; they are found after `commit`."""
        import tantivy

        writer = self._open_writer()
        for chunk in chunks:
            document = tantivy.Document()
            document.add_text("id", chunk.id)
            for audience in chunk.audiences or (STAFF,):
                document.add_text("audience", audience)
            document.add_text("terms", " ".join(tokenize(chunk.indexed_text)))
            writer.add_document(document)

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; unknown ids are passed over. They are gone after `commit`."""
        writer = self._open_writer()
        for chunk_id in chunk_ids:
            writer.delete_documents_by_term("id", chunk_id)

    def commit(self) -> None:
        """Write what was added and removed, so that it outlives a crash and is found.

        Raises:
            StoreUnavailable: the folder cannot be written.
        """
        writer, self._writer = self._open_writer(), None
        try:
            writer.commit()
            writer.wait_merging_threads()
            _write_seal(self._folder)
        except (ValueError, OSError) as error:
            raise _unavailable(self._folder, error) from error
        self._index.reload()
        self._searcher = self._index.searcher()

    def query(
        self, text: str, scope: Scope, limit: int, context: str = ""
    ) -> list[tuple[str, float]]:
        """Return the ids of the best passages that the scope allows, with their BM25 scores.

        BM25 with k1 1.2 and b 0.75 (Robertson and Zaragoza 2009) over titles, headings and text.
        Terms that only the context has count less.

        Raises:
            StoreDamaged: a file of the index was changed since it was opened.
        """
        terms = query_terms(text, context)
        if not terms or not scope.audiences or limit < 1:
            return []
        searcher = self._searcher
        try:
            hits = searcher.search(self._build(terms, scope), limit, count=False).hits
            return [(str(searcher.doc(at).get_first("id")), float(score)) for score, at in hits]
        except ValueError as error:
            raise _damaged(self._folder, error) from error

    def coverage(self, query: str, texts: Sequence[str], context: str = "") -> float:
        """Return which share of the query's term weight (inverse document frequency) a text holds.

        It is that of the best text, for the query as it stands or in its context: a whole question
        must not lose by what was said before, nor a bare "And why?" by itself. From 0, no term
        stands there, to 1, all do. A term that no passage holds weighs most.
        """
        asked = [self._weights(query_terms(query, said)) for said in {"", context}]
        found = [set(tokenize(text)) for text in texts]
        return max((_share(weights, terms) for weights in asked for terms in found), default=0.0)

    def count(self) -> int:
        """Return how many chunks the last commit left."""
        return int(self._searcher.num_docs)

    def close(self) -> None:
        """Let go of a writer; what was not committed is dropped."""
        if self._writer is not None:
            self._writer.rollback()
            self._writer.wait_merging_threads()
            self._writer = None
            _write_seal(self._folder)

    def _open_writer(self) -> tantivy.IndexWriter:
        with self._writing:
            if self._writer is None:
                self._writer = self._index.writer(_WRITER_BYTES, 1)
            return self._writer

    def _build(self, terms: Mapping[str, float], scope: Scope) -> Any:
        from tantivy import Occur, Query

        schema = self._index.schema
        words = [
            (
                Occur.Should,
                Query.boost_query(Query.term_query(schema, "terms", term, "freq"), boost),
            )
            for term, boost in terms.items()
        ]
        allowed = [
            (Occur.Should, Query.term_query(schema, "audience", name, "basic"))
            for name in sorted(scope.audiences)
        ]
        # The filter must hold and weighs nothing.
        gate = Query.const_score_query(Query.boolean_query(allowed), 0.0)
        return Query.boolean_query([(Occur.Must, Query.boolean_query(words)), (Occur.Must, gate)])

    def _weights(self, terms: Mapping[str, float]) -> dict[str, float]:
        return {term: weight * self._rarity(term) for term, weight in terms.items()}

    def _rarity(self, term: str) -> float:
        held = self._searcher.doc_freq("terms", term)
        return math.log(1 + (self._searcher.num_docs - held + 0.5) / (held + 0.5))


def _share(weights: Mapping[str, float], found: Set[str]) -> float:
    total = sum(weights.values())
    held = sum(weight for term, weight in weights.items() if term in found)
    return held / total if total else 0.0


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("audience", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _create(folder: Path) -> tantivy.Index:
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(_schema(), path=str(folder))
    _write_seal(folder)
    return index


def _open(folder: Path) -> tantivy.Index:
    import tantivy

    if os.access(folder, os.W_OK):
        return tantivy.Index.open(str(folder))
    # A reader, too, writes a lock file, at a time of its own. Its searcher keeps the files of the
    # copy open.
    copy = Path(tempfile.mkdtemp(prefix="supportbot-"))
    try:
        shutil.copytree(folder, copy, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return tantivy.Index.open(str(copy))
    finally:
        remove_folder(copy)


def _checksums(folder: Path) -> dict[str, int]:
    files = [path for path in folder.iterdir() if path.suffix != ".lock" and path.name != _SEAL]
    return {path.name: zlib.crc32(path.read_bytes()) for path in files}


def _write_seal(folder: Path) -> None:
    (folder / _SEAL).write_text(json.dumps(_checksums(folder), sort_keys=True), encoding="utf-8")


def _check_seal(folder: Path) -> None:
    sealed, found = json.loads((folder / _SEAL).read_text(encoding="utf-8")), _checksums(folder)
    if not isinstance(sealed, dict):
        raise ValueError(f"{_SEAL} is unreadable")
    if sealed != found:
        names = sorted(name for name in {*sealed, *found} if sealed.get(name) != found.get(name))
        raise ValueError(f"{', '.join(names)}: changed since it was written")


def _damaged(folder: Path, error: Exception) -> StoreDamaged:
    return StoreDamaged(
        f"the keyword index in {folder} cannot be read ({error}); roll back to another release, or"
        " run `supportbot-ingest sync`, which builds it anew"
    )


def _unavailable(folder: Path, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(
        f"the keyword index in {folder} cannot be read or written ({error});"
        " look at the folder's rights and at the free space"
    )
