"""Sweeps: one lab run many times with other settings, to find those that serve a metric best."""
