"""An example of a plug-in for Taskline: two workloads of one's own."""

from taskline_words.frequencies import word_frequencies
from taskline_words.knocking import knock

__all__ = ["knock", "word_frequencies"]
