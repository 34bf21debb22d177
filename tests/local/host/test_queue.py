"""Queue triggers: delivery, retries, poison, leases, and what host.json says of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.host.host import HostOptions
from shared.adapters.local.queue import SqliteQueue


def test_a_message_reaches_the_function_with_its_facts_and_goes(host: Any) -> None:
    sent = host.queue.send("work", "first")
    (seen,) = [each for each in host.until("work", bool) if each["id"] == sent]
    assert seen == {"body": "first", "count": 1, "id": sent}
    assert host.emptied("work")


def test_an_output_is_sent_to_the_queue_a_setting_names(host: Any) -> None:
    host.send("work", "second")
    assert "SECOND" in host.until("done", lambda seen: "SECOND" in seen)


def test_a_list_returned_is_one_message_for_each_element(host: Any) -> None:
    host.send("split", "one two three")
    done = host.until("done", lambda seen: {"one", "two", "three"} <= set(seen))
    assert [done.count(each) for each in ("one", "two", "three")] == [1, 1, 1]


def test_a_failing_message_is_retried_and_then_poison(host: Any) -> None:
    host.send("failing", "bad")
    assert host.until("failing_poison", bool) == ["bad"]
    assert host.seen("failing") == [1, 2, 3, 4, 5]
    assert host.emptied("failing")


def test_a_message_over_which_hosts_died_is_poison_without_another_try(tmp_path: Path, serve: Any) -> None:
    with SqliteQueue(tmp_path / "queue.db") as queue:
        queue.send("failing", "deadly")
        for _ in range(5):
            (held,) = queue.receive("failing")
            queue.release("failing", held)
    with serve(tmp_path) as started:
        assert started.until("failing_poison", bool) == ["deadly"]
        assert started.seen("failing") == []


def test_what_is_not_base64_is_poison_at_once_and_to_the_letter(host: Any) -> None:
    host.queue.send_text("long", "plain text")
    assert host.wait(lambda: host.queue.length("long-poison"), bool) == 1
    (kept,) = host.queue.receive("long-poison")
    assert kept.text == "plain text"
    assert host.seen("long") == []
    assert host.emptied("long")


def test_a_text_larger_than_we_would_send_reaches_poison(host: Any) -> None:
    host.queue.send_text("brief", "x" * 64 * 1024)  # base64 of what is no number
    assert host.wait(lambda: host.queue.length("brief-poison"), bool) == 1
    assert host.emptied("brief")


def test_a_failing_message_of_a_poison_queue_stays_there(tmp_path: Path, serve: Any) -> None:
    with serve(tmp_path, options=HostOptions(port=0, lease=timedelta(seconds=1))) as started:
        started.queue.send_text("failing-poison", "plain text")
        started.send("failing-poison", "readable")
        assert started.until("failing_poison", bool) == ["readable"]
        # The host deletes a message only after its function has returned.
        assert started.wait(lambda: started.queue.length("failing-poison"), lambda left: left == 1) == 1
        assert started.queue.length("failing-poison-poison") == 0


def test_host_json_may_say_that_texts_are_bodies(tmp_path: Path, serve: Any) -> None:
    queues = {"messageEncoding": "none"}
    with serve(tmp_path, settings={"extensions": {"queues": queues}}) as started:
        started.queue.send_text("work", "plain text")
        assert started.until("work", bool)[0]["body"] == "plain text"
        assert started.until("done", bool) == ["PLAIN TEXT"]


def test_bodies_that_are_not_ascii_survive(host: Any) -> None:
    host.send("work", "grüße ☃")
    assert "GRÜSSE ☃" in host.until("done", lambda seen: "GRÜSSE ☃" in seen)


def test_the_number_of_tries_and_the_wait_between_them_come_from_host_json(tmp_path: Path, serve: Any) -> None:
    queues = {"maxDequeueCount": 2, "visibilityTimeout": "00:00:00.01"}
    with serve(tmp_path, settings={"extensions": {"queues": queues}}) as started:
        started.send("failing", "bad")
        assert started.until("failing_poison", bool) == ["bad"]
        assert started.seen("failing") == [1, 2]


def test_one_at_a_time_when_host_json_says_so(tmp_path: Path, serve: Any) -> None:
    queues = {"batchSize": 1, "newBatchThreshold": 0}
    with serve(tmp_path, settings={"extensions": {"queues": queues}}) as started:
        for each in ("a", "b"):
            started.send("long", each)
        assert started.until("long", bool) == [1]
        started.send("work", "behind")  # other queues go on
        started.until("done", lambda seen: "BEHIND" in seen)
        assert started.seen("long") == [1]
        for _ in range(2):
            begun = len(started.seen("long"))
            started.client.post("/api/release")
            started.until("long", lambda seen, begun=begun: len(seen) > begun)
        assert started.until("long", lambda seen: len(seen) == 4) == [1, "end", 1, "end"]


def test_a_message_in_work_is_kept_beyond_its_lease(tmp_path: Path, serve: Any) -> None:
    with serve(tmp_path, options=HostOptions(port=0, lease=timedelta(seconds=1))) as started:
        started.send("long", "slow")
        assert started.until("long", bool) == [1]
        end = datetime.now(UTC) + timedelta(seconds=1.5)
        while datetime.now(UTC) < end:
            assert started.queue.receive("long") == []
        started.client.post("/api/release")
        assert started.until("long", lambda seen: "end" in seen) == [1, "end"]
        assert started.emptied("long")
