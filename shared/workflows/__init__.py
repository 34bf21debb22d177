"""Orchestrators: deterministic generators for Durable Functions.

A change of what a workflow asks for, or in which order, is a new version: `defaultVersion` in host.json names it, and
the old way is kept next to the new one, chosen by `context.version`. None, of what began before there were versions,
takes the oldest way. Versions have two numbers, as "1.0" and "1.10", or they would be compared as text. The histories
of each version are kept in tests/workflows/histories. An orchestration that calls another passes
`version=context.version`: otherwise the called one has none.
Sources: Azure Functions, "Orchestration versioning in Durable Functions"; for what is called, durabletask/worker.py of
microsoft/durabletask-python, which names a version only where it is passed one or configured with a default.
"""
