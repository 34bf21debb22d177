"""The README's own commands, run as they stand there."""

import re
import subprocess
from pathlib import Path

from tests.fakes.product import ROOT, Product

README = (ROOT / "README.md").read_text(encoding="utf-8")


def code(after: str) -> str:
    """The block of code that follows a text."""
    found = re.search(r"```(?:bash|console)\n(.*?)```", README[README.index(after) :], re.DOTALL)
    assert found, f"README.md has no code after {after}"
    return found[1]


def bash(script: str, product: Product) -> list[str]:
    """The lines that a script prints; it must not fail."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=product.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout.splitlines()


def test_the_tour_of_the_readme_works(product: Product) -> None:
    script = code("<!-- tour")
    assert "http://127.0.0.1:7071" in script
    product.insecure()
    before = product.cloud.last()
    lines = bash(script.replace("http://127.0.0.1:7071", product.url), product)
    score, sentence, status, *events, life = lines
    assert 0 < float(score) < 100
    assert "supportsHttpsTrafficOnly" in sentence
    assert status == "approved"
    assert [each.removeprefix("event: ") for each in events][-3:] == [
        "applyingStarted",
        "itemsExecuted",
        "remediationSucceeded",
    ]
    assert life == "resolved"
    assert [each["method"] for each in product.cloud.writes(before)] == ["PATCH"]


def test_the_first_look(product: Product, tmp_path: Path) -> None:
    """The commands of "What to look at"; one that finds violations ends with 3 to say so."""
    commands = [line.partition("#")[0].strip() for line in code("take the tour in a second terminal").splitlines()]
    assert commands[0] == "alias cortex=.venv/bin/cortex"
    (tmp_path / "catalog").symlink_to(ROOT / "catalog")
    for command in filter(None, commands[1:]):
        script = f'cortex() {{ {ROOT}/.venv/bin/cortex "$@"; }}\ncd {tmp_path}\n{command} || [ $? -eq 3 ]'
        assert bash(script, product), command
