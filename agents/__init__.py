"""Reinforcement learning on Gymnasium environments: tabular, policy-gradient and Q-learning agents."""
