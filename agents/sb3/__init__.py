"""Stable-Baselines3 through the same door: its algorithms as agents that yield, resume and hand out players."""

from agents.sb3.adapter import StableBaselines

__all__ = ["StableBaselines"]
