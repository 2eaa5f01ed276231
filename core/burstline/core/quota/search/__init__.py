"""The search for the highest rate that holds, in as few requests as possible."""
