"""Cold start: what it takes to import and index the front door, compared with an empty function app."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
PROBE = """
import json, resource, sys, time
began = time.perf_counter()
import function_app
functions = len(function_app.app.get_functions())
print(json.dumps({"seconds": time.perf_counter() - began, "functions": functions, "modules": len(sys.modules),
                  "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
EMPTY = """
import azure.durable_functions as df
app = df.DFApp()
@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
def nothing(timer: str) -> None:
    pass
"""
RUNS = 7


def measure(folder: Path) -> dict[str, float]:
    """Return the median of several fresh processes."""
    runs = []
    for _ in range(RUNS):
        env = {**os.environ, "PYTHONPATH": str(folder)}
        ran = subprocess.run([sys.executable, "-c", PROBE], cwd=folder, env=env, capture_output=True, check=True)
        runs.append(json.loads(ran.stdout))
    return {key: median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    """Print both, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "function_app.py").write_text(EMPTY, encoding="utf-8")
        empty = measure(Path(folder))
    ours = measure(ROOT)
    for name, run in (("empty app", empty), ("PolicyCortex", ours)):
        print(
            f"cold start, {name}: import and index {run['seconds'] * 1000:.0f} ms, {run['functions']:.0f} functions,"
            f" {run['modules']:.0f} modules, {run['megabytes']:.0f} MB"
        )
    print(f"cold start: {ours['seconds'] / empty['seconds']:.2f} x the empty app")


if __name__ == "__main__":
    main()
