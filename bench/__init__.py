"""Measurements, run by `make bench`; they never gate a test."""
