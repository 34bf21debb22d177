"""Stacks without the frames of the library."""

from local.host.stack import own_part

HEAD = "Traceback (most recent call last):"
THEIRS = '  File "/x/azure_functions_runtime/handle_event.py", line 1, in invocation_request\n    call()'
OURS = '  File "/app/function_app.py", line 2, in work\n    raise ValueError("no")'
LAST = "ValueError: no"


def test_it_begins_with_the_apps_first_frame() -> None:
    assert own_part(f"{HEAD}\n{THEIRS}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"


def test_frames_of_the_library_in_between_do_not_count() -> None:
    assert own_part(f"{HEAD}\n{OURS}\n{THEIRS}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"


def test_without_a_frame_of_the_app_only_the_error_is_left() -> None:
    assert own_part(f"{HEAD}\n{THEIRS}\n{LAST}") == LAST


def test_without_the_library_it_stays_as_it_is() -> None:
    assert own_part(f"{HEAD}\n{OURS}\n{LAST}") == f"{HEAD}\n{OURS}\n{LAST}"
    assert own_part("") == ""
