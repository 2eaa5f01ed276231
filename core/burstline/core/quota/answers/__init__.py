"""What a response looked like, and what became of it: signatures, series of them, settlement."""
