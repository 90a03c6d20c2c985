"""The way of a document: from a source to a release of the knowledge base."""
