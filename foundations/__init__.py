"""Blocks and loops that all else stands on, written out as the notes teach them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
