"""The event process: batch transport, topology, handlers and the relay."""
