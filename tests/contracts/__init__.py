"""One suite for each protocol, run on every backend's real server."""
