"""The pages: server-rendered, live, useful without script."""
