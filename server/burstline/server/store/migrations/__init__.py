"""The store's migrations (alembic), run by `burstline.server.store.upgrading`."""

HEAD = "0004"
"""The newest revision. A store that is there already is opened without importing alembic."""
