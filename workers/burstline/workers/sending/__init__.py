"""From due times to the wire: pacing, connections, the ceiling, and what came of each request."""
