"""What makes jobs run: the pool and its workers, and maintenance."""
