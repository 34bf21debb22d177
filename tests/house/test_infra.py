"""What is deployed is what the code expects."""

import json
import re
from pathlib import Path

from shared.adapters.azure.key import indexing_policy
from shared.adapters.index import INDEXES
from shared.settings import Settings

INFRA = Path(__file__).parents[2] / "infra"


def test_the_container_is_indexed_by_what_is_filtered_and_ordered_by() -> None:
    assert json.loads((INFRA / "indexing.json").read_text(encoding="utf-8")) == indexing_policy(INDEXES)


def test_every_setting_that_is_deployed_exists() -> None:
    named = re.findall(r"CORTEX_([A-Z_]+):", (INFRA / "main.bicep").read_text(encoding="utf-8"))
    assert len(named) > 3
    assert {name.lower() for name in named} <= set(Settings.model_fields)
