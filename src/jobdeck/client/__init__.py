"""From Python and the command line to a store or a server: settings, transports, Client."""
