"""The product as it is deployed: the unpacked package on the local host, with the settings and services of Azure."""

import contextlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueServiceClient

from shared.adapters.azure.documents import CosmosDocuments
from shared.adapters.index import INDEXES
from tests.deployment import ROOT, builder
from tests.fakes import emulator
from tests.fakes.product import SECRET, TENANT, Product

HOST_NEEDS = ("cronsim",)
"""What the local host imports beside what the app does; on Azure, the real host brings its own."""
UV = [sys.executable, "-m", "uv", "--quiet"]


def build(root: Path, out: Path, **env: str) -> tuple[Path, Path]:
    """Build the package of the repository at `root`, as anybody does; the folder and the archive."""
    command = [sys.executable, ROOT / "scripts" / "package.py", "--root", root, "--out", out]
    subprocess.run(command, check=True, env={**os.environ, **env})
    return out / "package", out / "package.zip"


def contents(folder: Path) -> dict[str, bytes]:
    """All files of the folder, by name."""
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in builder.files(folder)}


def clean_environment(package: Path, folder: Path) -> Path:
    """A new environment with what requirements.txt of the package names, by its hashes, and nothing else."""
    subprocess.run([*UV, "venv", "--python", sys.executable, folder], check=True)
    target = ["--python", folder / "bin" / "python", "--python-platform", "x86_64-manylinux_2_28"]
    subprocess.run([*UV, "pip", "sync", "--require-hashes", *target, package / "requirements.txt"], check=True)
    return folder


def host_folder(folder: Path) -> Path:
    """A folder with the local host and what it alone needs; nothing else of the repository can be imported from it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [each for each in project["optional-dependencies"]["local"] if each.partition("==")[0] in HOST_NEEDS]
    subprocess.run([*UV, "pip", "install", "--no-deps", "--target", folder, *needed], check=True)
    (folder / "local").symlink_to(ROOT / "local")
    return folder


class Deployed(Product):
    """A package on the local host; `services` are a connection string of storage and an address of Cosmos DB.

    The app sees what it sees on Azure: its own folder, its own dependencies and its settings. Of this repository it
    cannot import anything but the host itself.
    """

    def __init__(self, state: Path, package: Path, services: tuple[str, str]) -> None:
        super().__init__(state)
        self.app = package
        self.home = state
        self.storage, self.cosmos = services
        self._python = clean_environment(package, state / "environment") / "bin" / "python"
        self._host = host_folder(state / "host")

    @property
    def command(self) -> list[str]:
        return [str(self._python), "-P", *super().command[1:]]

    @property
    def env(self) -> dict[str, str]:
        where = (self.app / builder.PACKAGES, self.app, self._host)
        process = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, where)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        settings = {
            "AzureWebJobsStorage": self.storage,
            "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "545259520",
            "CORTEX_TENANT": TENANT,
            "CORTEX_CLOUD_ENDPOINT": self.cloud.url,
            "CORTEX_COSMOS_ENDPOINT": self.cosmos,
            "CORTEX_SCAN_SCHEDULE": "0 0 2 * * *",
        }
        instead_of_an_identity = {
            "CORTEX_COSMOS_KEY": emulator.COSMOS_KEY,
            "CORTEX_CLOUD_TOKEN": self.cloud.token,
            "CORTEX_LOCAL_TOKEN_SECRET": SECRET,
        }
        return process | settings | instead_of_an_identity

    def opened(self) -> CosmosDocuments:
        return CosmosDocuments(self.cosmos, "cortex", key=emulator.COSMOS_KEY, indexes=INDEXES)


@contextlib.contextmanager
def services(folder: Path) -> Iterator[tuple[str, str]]:
    """Azurite and the Cosmos DB stand-in until the block ends: a connection string, an address."""
    with contextlib.ExitStack() as exits:
        for name in ("storage", "cosmos"):
            (folder / name).mkdir()
        storage = exits.enter_context(emulator.azurite(folder / "storage"))
        cosmos = exits.enter_context(emulator.cosmos(folder / "cosmos"))
        yield storage.address, cosmos.address


class Queues:
    """The raw queues of a storage account, into which others may put anything."""

    def __init__(self, storage: str) -> None:
        self._account = QueueServiceClient.from_connection_string(storage)

    def close(self) -> None:
        self._account.close()

    def send(self, name: str, text: str) -> None:
        with self._account.get_queue_client(name) as client:
            with contextlib.suppress(ResourceExistsError):
                client.create_queue()
            client.send_message(text)

    def exists(self, name: str) -> bool:
        return any(each.name == name for each in self._account.list_queues(name_starts_with=name))

    def count(self, name: str) -> int:
        """About how many messages the queue holds, those in work too."""
        with self._account.get_queue_client(name) as client:
            return int(client.get_queue_properties().approximate_message_count or 0)
