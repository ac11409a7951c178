"""All SQL: tables, migrations, one module per noun, the guarded transitions, list queries."""
