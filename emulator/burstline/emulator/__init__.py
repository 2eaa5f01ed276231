"""A practice AWS on your own machine: an API front with Lambda behind it that throttles as the real one does."""
