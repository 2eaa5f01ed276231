"""From a run's windows to its report: settled, attributed, advised, written down."""
