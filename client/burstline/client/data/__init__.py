"""Files that the client brings along: the plan and account of the demo."""
