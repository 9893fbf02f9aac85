"""Finished runs beside each other: which ones, in which groups, what they say and how sure that is."""
