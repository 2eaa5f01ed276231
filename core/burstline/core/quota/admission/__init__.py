"""How AWS decides: the one admission model, its laws, and its exact replay in virtual time."""
