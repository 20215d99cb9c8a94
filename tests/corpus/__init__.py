"""Awkward files, what has to come out of them, and what holds for any bytes at all."""
