"""Workers: take a segment of a schedule, send it, report windows."""
