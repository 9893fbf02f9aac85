"""Generative adversarial networks: their networks, losses and training."""
