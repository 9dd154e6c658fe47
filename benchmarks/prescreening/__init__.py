"""Prescreening of pairs: what survives, what is dropped, and at which cost."""
