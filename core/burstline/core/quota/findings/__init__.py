"""Which quota throttled, when, and how much of each was used; the verdict."""
