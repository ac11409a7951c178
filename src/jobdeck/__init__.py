"""Runs, shows and controls jobs: a job service and a dashboard over it."""
