"""A run's life: admitted, prepared, dispatched, driven to its end; its segments handed on when a worker dies."""
