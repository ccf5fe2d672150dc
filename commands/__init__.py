"""Composition: settings become adapters, one module per group of commands."""
