"""Formatting keeps comments: each stays with the value that it is about, wherever that goes."""

import json

import pytest

from shared.authoring.comment import read_comments, write_commented
from shared.authoring.formatter import format_text

WRITTEN = """// the team's own
{
    // what it is called, "really"
    "name": "p", // a short name
    /* the rule
       of the rule */
    "properties": {"policyRule": {
        "then": {"effect": "audit"}, // for now
        "if": {"field": "tags['a//b']", "in": [ // the names
            "x", /* one */
            // "y",
            "z"
            // nothing follows
        ]},
    }, "mode": "All" /* of them */}
}
// end
"""
FORMATTED = """// the team's own
{
  // what it is called, "really"
  "name": "p", // a short name
  /* the rule
       of the rule */
  "properties": {
    "mode": "All", /* of them */
    "policyRule": {
      "if": {
        "field": "tags['a//b']",
        "in": [
          // the names
          "x", /* one */
          // "y",
          "z"
          // nothing follows
        ]
      },
      "then": {
        "effect": "audit"
      } // for now
    }
  }
}
// end
"""


def test_comments_go_with_their_values() -> None:
    assert format_text(WRITTEN) == FORMATTED
    assert format_text(FORMATTED) == FORMATTED


@pytest.mark.parametrize("value", [{}, [], [[], {}], {"a": {"b": [1, None, "\u00e4"]}, "c": 1.5}, "x"])
def test_without_comments_the_text_is_that_of_json(value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    assert write_commented(value, read_comments(text)) == text + "\n"


def test_comments_where_nothing_else_is_stay() -> None:
    text = '{"a": [\n  // none yet\n], "b" /* key */ : /* value */ 1}'
    found = write_commented({"a": [], "b": 1}, read_comments(text))
    assert found == '{\n  "a": [\n    // none yet\n  ],\n  /* key */\n  /* value */\n  "b": 1\n}\n'
