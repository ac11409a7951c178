"""The words and rules of job processing: pure, without input or output."""
