"""A run from the command to its exit code: embedded or on a server, followed, stopped, and nothing left behind."""
