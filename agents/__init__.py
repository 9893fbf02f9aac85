"""Reinforcement learning on Gymnasium environments: tabular, bandit, policy-gradient and Q-learning agents."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
