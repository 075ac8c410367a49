"""What may be loaded, by what a file holds and never by what it is called.

In: a model's files, open for reading. Out: the format of each that holds weights. Whatever is not known to be harmless
is refused; nothing here is unpickled, unpacked or run.
"""

from aegis_multimodal_ai_system.formats.check import check_formats

__all__ = ["check_formats"]
