"""Models that make data, and what is measured of them.

Autoencoders, variational autoencoders, Boltzmann machines and adversarial networks; the judge and its metrics, bounds
on the log-likelihood, what codes are good for, ways through latent space; adversarial examples.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
