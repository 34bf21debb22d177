"""An address means one host, whoever reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from shared.adapters.azure.address import HttpAddress, parse
from shared.adapters.azure.arm import StaticToken
from shared.adapters.azure.retry_policy import AuthenticationPolicy
from shared.domain.error import InvalidInput, Malformed

HOST = "management.azure.com"
PIECES = (
    *"@\\?#/:\t\n ;[].\x00\xa0\u3002\uff05\uff0f",
    *(HOST, "evil.example", "https:", "//", "%2f", "%40", "443"),
)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://management.azure.com/a?b=c", HttpAddress("https", HOST, 443, "/a", "?b=c")),
        ("HTTPS://Management.Azure.com:443", HttpAddress("https", HOST, 443, "/", "")),
        ("https://management.azure.com?$skip=1#x", HttpAddress("https", HOST, 443, "/", "?$skip=1")),
        ("http://[::1]:7072//a b/ü", HttpAddress("http", "::1", 7072, "//a b/ü", "")),
    ],
)
def test_an_address_is_parsed(url: str, found: HttpAddress) -> None:
    assert parse(url) == found
    assert parse(found.url) == found


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example\\@management.azure.com/",
        "https://management.azure.com\\.evil.example/",
        "https://management.azure.com/a\\b",
        "https://user@management.azure.com/",
        "https://user:word@management.azure.com/",
        "https://@management.azure.com/",
        " https://management.azure.com/",
        "https://management.azure.com /",
        "https://man\tagement.azure.com/",
        "https://management.azure.com/a\r\nHost: evil.example",
        "https://management.azure.com/\x85",
        "https://management.azure.com%2f.evil.example/",
        "https://management.azure。com/",
        "https://management.azure.com:65536/",
        "https://management.azure.com:x/",
        "https://[::1/",
        "https:///a",
        "https:/management.azure.com/",
        "//management.azure.com/",
        "ftp://management.azure.com/",
        "/subscriptions",
        "",
    ],
)
def test_what_another_parser_could_read_otherwise_is_no_address(url: str) -> None:
    with pytest.raises(Malformed):
        parse(url)


@pytest.mark.parametrize("endpoint", ["https://user@management.azure.com", "http://management.azure.com", "cloud"])
def test_an_endpoint_that_could_leak_the_token_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        AuthenticationPolicy(StaticToken("token"), "scope", endpoint=endpoint)
    assert raised.value.path == "cloudEndpoint"


@given(st.lists(st.sampled_from(PIECES), max_size=6))
def test_the_client_reads_the_same_host(pieces: list[str]) -> None:
    for begin in ("https://", f"https://{HOST}"):
        url = begin + "".join(pieces)
        try:
            found = parse(url)
        except Malformed:
            continue
        read = parse_url(url)
        assert (read.scheme, (read.host or "").strip("[]"), read.port or 443) == found.origin
