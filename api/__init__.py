"""The HTTP process: routes, keys and roles."""
