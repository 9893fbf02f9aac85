"""What every lab shares: its command line, the run that it drives and records, data sets and figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
