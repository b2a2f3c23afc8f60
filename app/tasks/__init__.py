"""Tasks: the lifecycle, the store, and what people do with them."""
