"""What a client does when it works on a store: actions, and the store's reads."""
