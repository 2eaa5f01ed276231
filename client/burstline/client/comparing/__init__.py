"""Two runs beside each other: what changed, how sure that is, and conditions on it."""
