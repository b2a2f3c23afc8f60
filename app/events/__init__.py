"""From a committed event to every socket of its owner."""
