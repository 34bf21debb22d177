"""Answers that are not what they should be end in an error of ours that names the call: soon, and within bounds."""

import contextlib
import gzip
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from shared.adapters.azure import arm, response_deadline, transport
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.error import CortexError, Forbidden, Malformed
from shared.domain.inventory import UnreadReason
from shared.domain.resource import Unread
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Answer, Cloud, error
from tests.adapters.inventory.conftest import SETTINGS, TENANT, WANTED, Reading, account, fill
from tests.fakes.server import Server

GRAPH = "Microsoft.ResourceGraph/resources"
GROUPS = "/providers/Microsoft.Management/managementGroups"
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
Connect = Callable[..., ArmInventory]
SEEDS = 10

BODIES: Mapping[str, Answer] = {
    "nothing": Answer(200, None),
    "null": Answer(200, raw=b"null"),
    "a list": Answer(200, [1, 2]),
    "an empty object": Answer(200, {}),
    "a number": Answer(200, 7),
    "a page of numbers": Answer(200, {"value": [1, None], "count": 2, "totalRecords": 2, "data": [1, None]}),
    "no list": Answer(200, {"value": {}, "data": {}, "count": 0, "totalRecords": 0, "resultTruncated": "false"}),
    "wrong numbers": Answer(200, {"value": 1, "data": [], "count": "x", "totalRecords": -1}),
    "an error as a success": Answer(200, {"error": {"code": "Busy", "message": "later"}}),
    "HTML": Answer(200, raw=b"<html>sign in</html>", headers=HTML),
    "HTML that says JSON": Answer(200, raw=b"<html>sign in</html>"),
    "JSON that says HTML": Answer(200, raw=b'{"value": []}', headers=HTML),
    "XML": Answer(200, raw=b"<a><b/></a>", headers={"Content-Type": "application/xml"}),
    "cut JSON": Answer(200, raw=b'{"value": [{"id": "/x'),
    "no UTF-8": Answer(200, raw=b'{"value": ["\xff\xfe"]}'),
    "no known charset": Answer(200, raw=b"{}", headers={"Content-Type": "application/json; charset=klingon"}),
    "very deep": Answer(200, raw=b"[" * 100_000),
    "a huge number": Answer(200, raw=b'{"value": [' + b"9" * 10_000 + b"]}"),
    "no number at all": Answer(200, raw=b'{"value": [NaN]}'),
    "broken compression": Answer(200, raw=b"no gzip", headers={**JSON, "Content-Encoding": "gzip"}),
    "a redirect": Answer(302, {"value": []}, {"Location": "http://198.51.100.7/"}),
    "accepted": Answer(202, {"value": []}),
    "no content": Answer(204, None),
    "404 of a proxy": Answer(404, raw=b"<html>not here</html>", headers=HTML),
    "a strange error": Answer(400, [1]),
    "an error of strange parts": Answer(400, {"error": {"code": 7, "details": 7, "message": [1]}}),
    "500 in HTML": Answer(500, raw=b"<html>oops</html>", headers=HTML),
}
CALLS: Mapping[str, tuple[str, Callable[[ArmInventory], object]]] = {
    "subscriptions": ("/subscriptions", lambda cloud: cloud.subscriptions(tenant=TENANT)),
    "management groups": (GROUPS, lambda cloud: cloud.management_groups(tenant=TENANT)),
    "a management group": (f"{GROUPS}/root", lambda cloud: cloud.management_groups(tenant=TENANT)),
    "a subscription": (SCOPE, lambda cloud: Reading().step(cloud)),
    "resource groups": ("/resourceGroups", lambda cloud: Reading().step(cloud)),
    "Resource Graph": (GRAPH, lambda cloud: Reading().to_end(cloud)),
    "providers": ("/providers", lambda cloud: list(cloud.providers(tenant=TENANT))),
    "a resource": (account(0), lambda cloud: cloud.read(tenant=TENANT, resource_id=account(0), wanted={})),
}


def refused(action: Callable[[ArmInventory], object], inventory: ArmInventory) -> CortexError | None:
    """The error of ours that an action ends in; None when it succeeds."""
    try:
        action(inventory)
    except CortexError as error:
        return error
    return None


@pytest.fixture
def filled(cloud: Cloud) -> Cloud:
    fill(cloud, 2)
    cloud.lists["/subscriptions"] = [{"subscriptionId": SUBSCRIPTION, "displayName": "Dev"}]
    cloud.lists[GROUPS] = [{"id": f"{GROUPS}/root", "name": "root"}]
    return cloud


@pytest.mark.parametrize("call", CALLS)
def test_every_call_with_a_malformed_answer_raises_a_product_error(
    filled: Cloud, inventory: ArmInventory, waits: list[float], call: str
) -> None:
    path, action = CALLS[call]
    for name, answer in BODIES.items():
        filled.scripts.clear()
        filled.always(path, answer)
        waits.clear()
        raised = refused(action, inventory)
        assert raised is not None, f"{name} was taken for an answer"
        assert 0 < len(raised.message) < 1500, name
        assert sum(waits) <= 10, name


@pytest.mark.parametrize("name", BODIES)
def test_a_related_type_with_a_malformed_answer_is_unread_and_the_others_are_read(
    filled: Cloud, inventory: ArmInventory, name: str
) -> None:
    filled.always(f"{account(0)}/providers/{SETTINGS}", BODIES[name])
    read = Reading(WANTED).to_end(inventory)
    assert len(read.ids) == 3
    first, second = read.resources[1:]
    assert isinstance(first.related[SETTINGS.lower()], Unread)
    assert second.related[SETTINGS.lower()] == ()
    assert [gap.part for gap in read.gaps] == [SETTINGS]


def test_half_a_surrogate_pair_becomes_a_question_mark(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    page = json.dumps(cloud.graph({"query": "", "options": {"$top": 500}})).replace('"account0000"', '"a\\ud800"')
    cloud.always(GRAPH, Answer(200, raw=page.encode()))
    assert Reading().to_end(inventory).resources[-1].body["name"] == "a?"


ROWS: Mapping[str, Any] = {
    "no id": {"id": None},
    "a strange id": {"id": 7},
    "an id elsewhere": {"id": "/subscriptions/other/resourceGroups/rg/providers/x.y/z/a"},
    "no type": {"type": ""},
    "strange tags": {"tags": ["a"]},
    "strange properties": {"properties": "text"},
    "a strange location": {"location": {"a": 1}},
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_is_no_resource_is_a_gap_and_the_others_are_read(
    cloud: Cloud, inventory: ArmInventory, name: str
) -> None:
    ids = fill(cloud, 3)
    cloud.rows[1] |= {"spoiled": True}
    page = cloud.graph({"query": "", "options": {"$top": 500}})
    page["data"] = [{**row, **ROWS[name]} if row.get("spoiled") else row for row in page["data"]]
    cloud.always(GRAPH, Answer(200, page))
    read = Reading().to_end(inventory)
    assert read.ids == [SCOPE, ids[0], ids[2]]
    assert [(gap.part, gap.reason) for gap in read.gaps] == [("resources", UnreadReason.FAILED)]
    assert read.total == 4


def test_a_subscription_that_arm_does_not_find_is_not_gone(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.always(account(0), error(404, "SubscriptionNotFound", "could not be found"))
    with pytest.raises(Forbidden, match="deleted, or our identity has no role"):
        inventory.read(tenant=TENANT, resource_id=account(0), wanted={})


def test_a_skip_token_that_leads_to_itself_is_malformed(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 600)
    page = {**cloud.graph({"query": "", "options": {"$top": 500}}), "$skipToken": "again"}
    cloud.always(GRAPH, Answer(200, page))
    with pytest.raises(Malformed, match="does not lead on"):
        Reading().to_end(inventory)


def test_more_rows_than_the_total_are_malformed(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 500)
    numbers = iter(range(10_000))
    page = cloud.graph({"query": "", "options": {"$top": 500}})
    cloud.scripts.append(
        lambda call: Answer(200, {**page, "$skipToken": f"t{next(numbers)}"}) if call.path.endswith(GRAPH) else None
    )
    with pytest.raises(Malformed, match="more rows"):
        Reading().to_end(inventory)
    assert next(numbers) < 10


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RESPONSE_BYTES", 1_000_000)
    monkeypatch.setattr(response_deadline, "RESPONSE_SECONDS", 0.2)
    monkeypatch.setattr(arm, "LIST_SECONDS", 0.2)


@pytest.mark.usefixtures("small")
def test_an_answer_larger_than_the_bound_is_given_up(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.always(SCOPE, Answer(200, raw=b'{"a": "' + b"x" * 2_000_000 + b'"}'))
    with pytest.raises(Malformed, match="larger than 1000000 bytes"):
        Reading().step(inventory)


@pytest.mark.usefixtures("small")
def test_an_answer_that_does_not_end_is_given_up(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.always(SCOPE, Answer(200, raw=b" " * 100_000, drip=0.05))
    begun = time.monotonic()
    with pytest.raises(Malformed, match="not complete"):
        Reading().step(inventory)
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("small")
def test_a_list_that_does_not_end_is_given_up(cloud: Cloud, inventory: ArmInventory) -> None:
    numbers = iter(range(1_000_000))

    def more(call: Any) -> Answer | None:
        if not call.path.endswith("/resourceGroups"):
            return None
        return Answer(200, {"value": [], "nextLink": f"{cloud.endpoint}{SCOPE}/resourceGroups?page={next(numbers)}"})

    cloud.scripts.append(more)
    with pytest.raises(Malformed, match="did not end"):
        Reading().step(inventory)


def test_a_page_of_ten_megabytes_is_read(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 10)
    for row in cloud.rows:
        row["properties"] = {"text": "x" * 1_000_000}
    assert len(Reading().to_end(inventory).ids) == 11


@pytest.fixture
def streaming() -> Iterator[Callable[[bytes], ArmInventory]]:
    """A cloud that answers everything with one body in chunks, compressed, as ARM does."""
    with contextlib.ExitStack() as ending:

        def serve(body: bytes) -> ArmInventory:
            server = ending.enter_context(Server(("127.0.0.1", 0), _chunking(gzip.compress(body))))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            ending.callback(thread.join)
            ending.callback(server.shutdown)
            connection = ArmConnection(TENANT, f"http://127.0.0.1:{server.server_port}", StaticToken("token"))
            inventory = ArmInventory(connection, resource_types=())
            ending.callback(inventory.close)
            return inventory

        yield serve


def _chunking(content: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in {**JSON, "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                for at in range(0, len(content), 1000):
                    piece = content[at : at + 1000]
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_args: object) -> None: ...

    return Handler


def test_a_compressed_answer_in_chunks_is_read(streaming: Callable[[bytes], ArmInventory]) -> None:
    body = {"id": account(0), "properties": {str(number): number for number in range(20_000)}}
    read = streaming(json.dumps(body).encode()).read(tenant=TENANT, resource_id=SCOPE, wanted={})
    assert read is not None
    assert read.body["properties"] == body["properties"]


@pytest.mark.usefixtures("small")
def test_a_compressed_answer_is_measured_by_what_it_holds(streaming: Callable[[bytes], ArmInventory]) -> None:
    bomb = streaming(b'{"id": "' + b"0" * 20_000_000 + b'"}')
    with pytest.raises(Malformed, match="larger than 1000000 bytes"):
        bomb.read(tenant=TENANT, resource_id=SCOPE, wanted={})


def _spoil(value: Any, chance: random.Random) -> Any:
    """The value with some parts of it changed into something else."""
    if chance.random() < 0.06:
        return chance.choice(
            [None, 0, -1, "", "x", [], {}, [None], {"a": None}, True, 1e308, "/", "http://198.51.100.7/"]
        )
    if isinstance(value, dict):
        return {name: _spoil(each, chance) for name, each in value.items() if chance.random() > 0.03}
    return [_spoil(each, chance) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_answers_corrupted_anywhere_raise_product_errors_only(cloud: Cloud, connect: Connect, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded fuzz
    fill(cloud, 5)
    cloud.lists["/subscriptions"] = [{"subscriptionId": SUBSCRIPTION, "displayName": "Dev"}]
    cloud.lists[GROUPS] = [{"id": f"{GROUPS}/root", "name": "root"}]
    cloud.lists["/providers"] = [{"namespace": "x", "resourceTypes": [{"resourceType": "y", "apiVersions": ["1"]}]}]
    honest = cloud.answer
    cloud.answer = lambda call: _spoiled(honest(call), chance)  # type: ignore[method-assign] # a worse cloud
    inventory = connect()
    for _ in range(20):
        for action in (*(each for _, each in CALLS.values()), lambda each: Reading(WANTED).to_end(each)):
            raised = refused(action, inventory)
            assert raised is None or raised.message


def _spoiled(answer: Answer, chance: random.Random) -> Answer:
    body = _spoil(answer.body, chance)
    raw = json.dumps(body).encode()
    if chance.random() < 0.03:
        raw = raw[: chance.randrange(len(raw) + 1)]
    return Answer(answer.status, raw=raw, headers=answer.headers)
