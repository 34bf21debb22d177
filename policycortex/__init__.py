"""PolicyCortex as it is installed: one package that holds the rooms of the app, and the `cortex` command."""
