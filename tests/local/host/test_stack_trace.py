"""Stacks without the frames of the library."""

from local.host.stack_trace import own_frames

HEAD = "Traceback (most recent call last):"
THEIRS = '  File "/x/azure_functions_runtime/handle_event.py", line 1, in invocation_request\n    call()'
OURS = '  File "/app/function_app.py", line 2, in work\n    raise ValueError("no")'
LAST = "ValueError: no"


def test_a_stack_begins_with_the_first_frame_of_the_app() -> None:
    assert own_frames(f"{HEAD}\n{THEIRS}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"


def test_frames_of_the_library_in_between_do_not_count() -> None:
    assert own_frames(f"{HEAD}\n{OURS}\n{THEIRS}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"


def test_without_a_frame_of_the_app_only_the_error_is_left() -> None:
    assert own_frames(f"{HEAD}\n{THEIRS}\n{LAST}") == LAST


def test_a_stack_without_the_library_is_unchanged() -> None:
    assert own_frames(f"{HEAD}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"
    assert own_frames("") == ""


def test_of_a_stack_that_the_app_has_taken_away_only_the_error_is_left() -> None:
    taken = '  File "/app/function_app.py", line 3, in work\n    raise error.with_traceback(None) from None'
    assert own_frames(f"{HEAD}\n{THEIRS}\n{taken}\n{LAST}") == LAST
    assert own_frames(f"{HEAD}\n{THEIRS}\n{taken}\n{OURS}\n{LAST}") == f"{HEAD}\n{taken}\n{OURS}\n{LAST}"
