"""Fitting: from a run's bins alone, which law throttled, with which numbers, and when."""
