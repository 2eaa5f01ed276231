"""A segment held under a lease: prepared, started, run, and its windows kept until acknowledged."""
