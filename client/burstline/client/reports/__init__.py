"""Reports, rendered for people."""
