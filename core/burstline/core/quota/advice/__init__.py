"""What to do: the demand, what it requires of each quota, and what else would help."""
