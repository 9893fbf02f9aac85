"""Models that make data: adversarial networks now; autoencoders, Boltzmann machines and more beside them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
