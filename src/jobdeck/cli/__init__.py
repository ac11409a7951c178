"""The command `jobdeck`: a file per noun. Importing a file is cheap; its work imports the rest."""
