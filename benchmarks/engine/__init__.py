"""Benchmarks of the engine: one module per row of docs/performance.md; `python -m benchmarks.engine` runs them all."""
