"""The cortex command."""
