"""What API and pages share at the HTTP edge: who asks, errors, live changes, headers."""
