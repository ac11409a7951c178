"""The REST API: a file per noun, over actions and the store's reads."""
