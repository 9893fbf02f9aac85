"""Variational autoencoders: `model` has the networks and p(x|z), `learner` how they learn from images."""

from generative.vae.learner import VAELearner, binarize, build_vae, require_binary
from generative.vae.model import VAE, reparameterize

__all__ = ["VAE", "VAELearner", "binarize", "build_vae", "reparameterize", "require_binary"]
