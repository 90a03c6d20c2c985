"""The way of a question: from a front door to one checked answer."""
