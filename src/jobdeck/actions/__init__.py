"""Every change that anyone may ask for: authorised, made and audited in one transaction."""
