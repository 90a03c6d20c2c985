"""What we know and how to find it.

Synchronous; knows no Slack, no HTTP server and no language model.
"""
