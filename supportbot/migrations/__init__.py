"""Alembic's migrations of the state database, run by `supportbot.database` at every start."""
