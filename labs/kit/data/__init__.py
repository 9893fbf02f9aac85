"""Data sets: `load_images("mnist")`, a registry of what can be fetched, and the search for it on this machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
