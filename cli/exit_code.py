"""The exit codes of all commands: one table, for `cortex --help` and docs/cli.md."""

from collections.abc import Mapping

FAILED = 1
WRONG_USAGE = 2
VIOLATION = 3
UNSETTLED = 4
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    0: "done, and nothing that was asked about is wrong",
    FAILED: "not done: refused, failed or not reachable; for lint, test and `fmt --check`: something is wrong",
    WRONG_USAGE: "the command cannot be understood: an option, a file, or the value of a filter that nothing has",
    VIOLATION: "violations (`finding list --fail-on`, `evaluate`), or documents that differ (`rebuild --check`)",
    UNSETTLED: "unknown or incomplete: `finding list --fail-on-unknown`, `evaluate`, a partial scan or import",
    INTERRUPTED: "interrupted with Ctrl-C; what was started at the service goes on",
}
"""Exit code -> what it means. Of two that are true, the lower one is used."""
