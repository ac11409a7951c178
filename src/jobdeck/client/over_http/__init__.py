"""What a client does when it works on a server: calls to its API."""
