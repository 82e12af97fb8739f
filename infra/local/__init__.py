"""The local runtime: an HTTP server, an engine in the same process, and a driver that runs what is triggered."""
