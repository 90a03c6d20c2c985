"""Where documents come from; one file a kind of source."""
