"""What runs inside the killable process: load, run, report. No database here."""
