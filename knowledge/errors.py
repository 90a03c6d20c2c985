"""What can go wrong with the knowledge base.

::

    KnowledgeError
    ├── SettingsError        a setting is wrong; the program must not start
    ├── StoreUnavailable     the vector store or its folder cannot be reached or read right now
    │   └── StoreBusy        another sync holds the store
    ├── StoreDamaged         a file of a release is unreadable or disagrees with its manifest
    ├── EmbedderMismatch     the release was built with another embedding model
    ├── EmbedderUnavailable  the embedding model cannot be loaded, or is not the pinned one
    └── ReleaseNotFound      no such release, or none was ever promoted

A message is written for the person at the keyboard: what happened, what it means, what to do next.
"""


class KnowledgeError(Exception):
    """The base of every error of this package."""


class SettingsError(KnowledgeError):
    """A setting is wrong; the message is one line that names it, its shape and what is valid."""


class StoreUnavailable(KnowledgeError):
    """The vector store or its folder cannot be reached or read right now."""


class StoreBusy(StoreUnavailable):
    """Another sync holds the store."""


class StoreDamaged(KnowledgeError):
    """A file of a release is unreadable or disagrees with its manifest."""


class EmbedderMismatch(KnowledgeError):
    """The release was built with another embedding model than the configured one."""


class EmbedderUnavailable(KnowledgeError):
    """The embedding model cannot be loaded, or its weights are not the pinned ones."""


class ReleaseNotFound(KnowledgeError):
    """No such release, or none was ever promoted."""
