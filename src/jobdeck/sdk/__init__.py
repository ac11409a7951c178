"""What the author of a pipeline touches; `jobdeck` itself hands out its names."""
