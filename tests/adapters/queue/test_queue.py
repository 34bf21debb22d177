"""Contract of `Queue`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.domain.error import InvalidInput, Stale, TooLarge
from tests.adapters.queue.conftest import Bench

SECOND = timedelta(seconds=1)
SHORT = timedelta(seconds=3)
"""Long enough for a slow machine, as the emulator counts whole seconds."""
LATER = 3.1


def test_an_unused_queue_is_empty(bench: Bench) -> None:
    assert bench.queue.receive(bench.name) == []
    assert bench.queue.length(bench.name) == 0


@pytest.mark.parametrize("body", ["", "hello", '{"a": "ü\U0001f511"}', "<xml>&amp;\u0001\r\n</xml>", "x" * 48 * 1024])
def test_what_is_sent_is_received(bench: Bench, body: str) -> None:
    id_ = bench.queue.send(bench.name, body)
    (message,) = bench.queue.receive(bench.name)
    assert (message.id, message.body, message.dequeue_count) == (id_, body, 1)
    assert message.inserted_at <= message.visible_at
    assert message.expires_at - message.inserted_at == timedelta(days=7)


def test_a_body_travels_as_base64(bench: Bench) -> None:
    bench.queue.send(bench.name, "grüße")
    (message,) = bench.queue.receive(bench.name)
    assert message.text == "Z3LDvMOfZQ=="
    assert message.body == "grüße"


@pytest.mark.parametrize("text", ["plain text", "Z3LDvMOfZQ", "not base64!", "//79"])
def test_what_others_send_is_kept_to_the_letter_and_has_no_body_unless_it_is_base64_of_text(
    bench: Bench, text: str
) -> None:
    bench.queue.send_text(bench.name, text)
    (message,) = bench.queue.receive(bench.name)
    assert message.text == text
    with pytest.raises(InvalidInput, match="base64"):
        _ = message.body


def test_a_text_has_at_most_64_kib(bench: Bench) -> None:
    bench.queue.send_text(bench.name, "x" * 64 * 1024)
    (message,) = bench.queue.receive(bench.name)
    assert len(message.text) == 64 * 1024
    with pytest.raises(TooLarge, match="65536"):
        bench.queue.send_text(bench.name, "x" * (64 * 1024 + 1))


@pytest.mark.parametrize("body", ["x" * (48 * 1024 + 1), "\U0001f511" * 12 * 1024 + "x"])
def test_a_body_has_at_most_48_kib(bench: Bench, body: str) -> None:
    with pytest.raises(TooLarge, match="49153"):
        bench.queue.send(bench.name, body)


def test_half_a_surrogate_pair_is_rejected(bench: Bench) -> None:
    with pytest.raises(InvalidInput):
        bench.queue.send(bench.name, "\ud800")


def test_a_received_message_is_hidden_and_comes_back(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (first,) = bench.queue.receive(bench.name, visibility=SHORT)
    assert bench.queue.receive(bench.name) == []
    assert bench.queue.length(bench.name) == 1
    bench.wait(LATER)
    (second,) = bench.queue.receive(bench.name)
    assert (second.id, second.body, second.dequeue_count) == (first.id, "hello", 2)


def test_a_deleted_message_is_gone(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (message,) = bench.queue.receive(bench.name)
    bench.queue.delete(bench.name, message)
    assert bench.queue.length(bench.name) == 0
    assert bench.queue.receive(bench.name) == []


def test_a_receipt_is_void_once_the_message_is_visible_again(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (old,) = bench.queue.receive(bench.name, visibility=SHORT)
    bench.wait(LATER)
    with pytest.raises(Stale):
        bench.queue.delete(bench.name, old)
    with pytest.raises(Stale):
        bench.queue.release(bench.name, old)
    (new,) = bench.queue.receive(bench.name)
    with pytest.raises(Stale):
        bench.queue.delete(bench.name, old)
    bench.queue.delete(bench.name, new)
    with pytest.raises(Stale):
        bench.queue.delete(bench.name, new)


def test_a_released_message_is_visible_at_once(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (first,) = bench.queue.receive(bench.name)
    bench.queue.release(bench.name, first)
    (second,) = bench.queue.receive(bench.name)
    assert second.dequeue_count == 2
    with pytest.raises(Stale):
        bench.queue.release(bench.name, first)
    bench.queue.delete(bench.name, second)


def test_a_released_message_can_be_delayed(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (message,) = bench.queue.receive(bench.name)
    bench.queue.release(bench.name, message, delay=SHORT)
    assert bench.queue.receive(bench.name) == []
    bench.wait(LATER)
    assert len(bench.queue.receive(bench.name)) == 1


def test_a_renewed_message_stays_hidden(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (first,) = bench.queue.receive(bench.name)
    kept = bench.queue.renew(bench.name, first, visibility=timedelta(seconds=60))
    assert (kept.id, kept.body, kept.dequeue_count) == (first.id, "hello", 1)
    assert kept.visible_at - first.visible_at > timedelta(seconds=20)
    assert bench.queue.receive(bench.name) == []
    with pytest.raises(Stale):
        bench.queue.delete(bench.name, first)
    with pytest.raises(InvalidInput):
        bench.queue.renew(bench.name, kept, visibility=timedelta(days=8))
    bench.queue.delete(bench.name, kept)


def test_what_came_back_cannot_be_renewed(bench: Bench) -> None:
    bench.queue.send(bench.name, "hello")
    (message,) = bench.queue.receive(bench.name, visibility=SHORT)
    bench.wait(LATER)
    with pytest.raises(Stale):
        bench.queue.renew(bench.name, message)
    (again,) = bench.queue.receive(bench.name)
    with pytest.raises(Stale):
        bench.queue.renew(bench.name, message)
    bench.queue.delete(bench.name, bench.queue.renew(bench.name, again))


def test_a_delayed_message_is_there_but_hidden(bench: Bench) -> None:
    bench.queue.send(bench.name, "later", delay=SHORT)
    assert bench.queue.receive(bench.name) == []
    assert bench.queue.length(bench.name) == 1
    bench.wait(LATER)
    assert [message.body for message in bench.queue.receive(bench.name)] == ["later"]


def test_many_messages_are_received_within_the_limit(bench: Bench) -> None:
    sent = {bench.queue.send(bench.name, str(number)) for number in range(40)}
    first = bench.queue.receive(bench.name, limit=32)
    rest = bench.queue.receive(bench.name, limit=32)
    assert (len(first), len(rest)) == (32, 8)
    assert {message.id for message in first + rest} == sent
    for bad in (0, 33):
        with pytest.raises(InvalidInput, match="limit"):
            bench.queue.receive(bench.name, limit=bad)


@pytest.mark.parametrize("visibility", [timedelta(0), -SECOND, timedelta(days=8)])
def test_visibilities_out_of_bounds_are_refused(bench: Bench, visibility: timedelta) -> None:
    with pytest.raises(InvalidInput, match="visibility"):
        bench.queue.receive(bench.name, visibility=visibility)


@pytest.mark.parametrize("delay", [-SECOND, timedelta(days=7)])
def test_delays_out_of_bounds_are_refused(bench: Bench, delay: timedelta) -> None:
    with pytest.raises(InvalidInput, match="delay"):
        bench.queue.send(bench.name, "hello", delay=delay)


@pytest.mark.parametrize("bad", ["", "ab", "Work", "a--b", "-ab", "ab-", "a_b", "a.b", "x" * 64, "wörk", "a/b"])
def test_invalid_queue_names_are_rejected(bench: Bench, bad: str) -> None:
    with pytest.raises(InvalidInput, match="queue"):
        bench.queue.send(bad, "hello")
    with pytest.raises(InvalidInput, match="queue"):
        bench.queue.receive(bad)
    with pytest.raises(InvalidInput, match="queue"):
        bench.queue.length(bad)


def test_queues_do_not_share_messages(bench: Bench) -> None:
    bench.queue.send(bench.name, "here")
    assert bench.queue.receive(f"{bench.name}-poison") == []
    (message,) = bench.queue.receive(bench.name)
    with pytest.raises(Stale):
        bench.queue.delete(f"{bench.name}-poison", message)
    bench.queue.delete(bench.name, message)


def test_no_message_is_received_twice_at_once(bench: Bench) -> None:
    sent = {bench.queue.send(bench.name, str(number)) for number in range(60)}

    def drain(_: int) -> list[str]:
        received = []
        while messages := bench.queue.receive(bench.name, limit=5):
            for message in messages:
                bench.queue.delete(bench.name, message)
                received.append(message.id)
        return received

    with ThreadPoolExecutor(4) as pool:
        received = [id_ for ids in pool.map(drain, range(4)) for id_ in ids]
    assert len(received) == 60
    assert set(received) == sent


def test_the_check_of_a_working_store_succeeds(bench: Bench) -> None:
    bench.queue.check()
    bench.queue.check()
    assert bench.queue.length("readiness") == 0
