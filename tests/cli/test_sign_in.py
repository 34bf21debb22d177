"""`cortex sign-in` and `cortex token`."""

import sys

import pytest

from cli import sign_in
from cli.client import ApiError, Client
from cli.main import main
from cli.response import SignInLink
from shared.domain.identity import Role


@pytest.fixture(autouse=True)
def _environment(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path))
    monkeypatch.setenv("CORTEX_URL", "http://127.0.0.1:7071/")
    monkeypatch.setenv("CORTEX_TOKEN", "a.b.c")


def test_the_link_is_alone_on_the_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, object]] = []

    def post(_self: Client, path: str, shape: object) -> object:
        asked.append((path, shape))
        return {"path": "/sign-in?code=x"}

    monkeypatch.setattr(Client, "post", post)
    sign_in.sign_in(Role.APPROVER)
    result = capsys.readouterr()
    assert result.out == "http://127.0.0.1:7071/sign-in?code=x\n"
    assert "it works once" in result.err
    assert asked == [("/sign-in-links", SignInLink)]


def test_without_a_product_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CORTEX_URL", "http://127.0.0.1:9")
    with pytest.raises(ApiError, match="cortex run"):
        sign_in.sign_in()
    monkeypatch.setattr(sys, "argv", ["cortex", "sign-in"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == ""
