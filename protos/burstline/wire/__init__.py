"""v1 messages <-> core records, both ways, with every range check: the only place that knows both."""
