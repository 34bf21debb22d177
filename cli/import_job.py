"""`cortex import`: inventories that were exported elsewhere; no cloud account is needed."""

import hashlib
from collections.abc import Iterator
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from cli import detail, listing, origin, scan, terminal
from cli.client import Client, address
from cli.exit_code import FAILED, UNSETTLED
from cli.import_folder import JoinedFolder, join_files
from cli.job import EXIT_CODES, goes_on, wait_for_job
from cli.listing import Listing, ListOptions
from cli.remark import Remarks
from cli.resource_file import ResourceFile, check_there, is_changed, open_input, regular
from cli.response import ImportJob, Upload
from shared.domain.error import InvalidInput
from shared.domain.import_job import ImportOrigin, ImportStatus

CHUNK_BYTES = 1 << 20
DIRECT_UPLOAD_BYTES = 32 << 20
"""Size of a file, in bytes, up to which it is sent in its request; larger ones are uploaded to the blob store."""
IMPORTS = Listing(
    "/imports", "import", "imports", ("status", "name", "records", "imported", "requestedBy", "requestedAt", "id")
)

app = typer.Typer(help="start, list, show, cancel: inventories that were exported elsewhere", no_args_is_help=True)


@app.command("list")
def list_imports(
    status: Annotated[list[ImportStatus] | None, listing.only_option("status", ImportStatus)] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List imports, the latest first."""
    listing.print_list(IMPORTS, {"status": status}, ListOptions(limit, all_, columns, csv, json))


@app.command("show")
def show_import(
    job: Annotated[str, typer.Argument(metavar="ID", help="id of an import")], json: listing.JsonOption = False
) -> None:
    """Show an import, with the records that were left out and why."""
    detail.print_thing(address("imports", job), json=json)


@app.command("cancel")
def cancel_import(
    job: Annotated[str, typer.Argument(metavar="ID", help="id of an import")], json: listing.JsonOption = False
) -> None:
    """Cancel an import; what it has kept stays."""
    with Client() as api:
        known = api.post(address("imports", job, "cancel"), ImportJob)
    if json:
        terminal.print_json(known)
    else:
        _print(known, None)


@app.command("start")
def start_import(
    file: Annotated[str, typer.Argument(help="an exported inventory, a folder of them, or - for stdin")],
    subscription: origin.SubscriptionOption = None,
    resource_group: origin.ResourceGroupOption = None,
    management_group: origin.ManagementGroupOption = None,
    location: origin.LocationOption = None,
    api_version: origin.ApiVersionOption = None,
    parameter: origin.ParameterOption = None,
    scan_after: Annotated[
        bool, typer.Option("--scan/--no-scan", help="scan the imported subscriptions afterwards")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Import an inventory that was exported elsewhere; no cloud account is needed.

    Accepts `az graph query`, `az resource list`, Resource Graph and ARM pages, ARM bodies, templates, what PowerShell
    makes JSON of, and JSON lines of any of these; with comments, in UTF-8, UTF-16 or UTF-32, and gzip.

    Of a folder, the JSON files in it and in the folders below are one import; links to folders are not followed.

    Exit code 0 when all was imported, 1 when nothing was, as from a file that is empty, is no inventory or cannot be
    read, 2 when there is no such file, 4 when files or records were left out or pages of a list are missing.
    """
    check_there([file], "FILE")
    known = origin.read_origin(
        parameter or (),
        subscription=subscription,
        resource_group=resource_group,
        management_group=management_group,
        location=location,
        api_version=api_version,
    )
    with TemporaryDirectory(prefix="cortex-") as folder, Client() as api:
        remarks, joined = Remarks(), None
        if Path(file).is_dir():
            joined = join_files(Path(file), Path(folder) / "joined", remarks.add)
            remarks.close()
        source = joined.source if joined else regular(file, Path(folder))
        with open_input(str(source.path)):
            pass  # whether it can be read is known before anything is sent
        started = _upload(api, source, known)
        with goes_on(api, "import", started["id"]):
            ended = wait_for_job(lambda: api.get(address("imports", started["id"]), ImportJob), _progress)
        if scan_after and ended["imported"]:
            scan.run(api, {"collect": False, "subscriptions": ended["subscriptions"]})
    if json:
        terminal.print_json(ended)
    else:
        _print(ended, joined)
    code = EXIT_CODES.get(ended["status"], FAILED) if ended["imported"] else FAILED
    raise typer.Exit(UNSETTLED if code == 0 and remarks.count else code)


def _upload(api: Client, source: ResourceFile, known: ImportOrigin) -> ImportJob:
    """Send a file, and start its import."""
    file, asked = source.path, {"name": Path(source.name).name, **known.model_dump(exclude_defaults=True)}
    # Parameters go in a body: an address is too short for them, and is logged on its way.
    if file.stat().st_size > DIRECT_UPLOAD_BYTES or known.parameters:
        return _upload_large(api, file, asked)
    return api.upload("/imports", ImportJob, _read(file), asked)


def _upload_large(api: Client, file: Path, asked: dict[str, Any]) -> ImportJob:
    """Upload a file where the API says, past its own request limit, and confirm its size and digest."""
    made = api.post("/imports/uploads", Upload, asked)
    before, digest = file.stat(), hashlib.sha256()
    with terminal.progress() as bar:
        task = bar.add_task("uploading MB", total=before.st_size >> 20)

        def chunks() -> Iterator[bytes]:
            # As many bytes as were announced, also of a file that grows meanwhile.
            for number, chunk in enumerate(_read(file, before.st_size), 1):
                digest.update(chunk)
                yield chunk
                bar.update(task, completed=number * CHUNK_BYTES >> 20)
            if is_changed(before, file.stat()):
                raise InvalidInput(f"{file} was changed while it was sent: import it again", path="FILE")

        api.send(made, chunks(), before.st_size)
    completion = {"size": before.st_size, "sha256": digest.hexdigest()}
    return api.post(f"/imports/uploads{address(made['id'])}/complete", ImportJob, completion)


def _read(file: Path, size: float = inf) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while size > 0 and (chunk := opened.read(int(min(CHUNK_BYTES, size)))):
            size -= len(chunk)
            yield chunk


def _progress(now: ImportJob) -> tuple[str, int, int | None]:
    if now["waitingUntil"]:
        return f"waiting until {now['waitingUntil']}: {now['reason']}", now["records"], None
    return "importing", now["records"], None


def _print(ended: ImportJob, joined: JoinedFolder | None) -> None:
    terminal.print_out(
        "Import [bold]{}[/] {}: {} of {} imported into {}",
        ended["id"],
        ended["status"],
        ended["imported"],
        terminal.count(ended["records"], "record"),
        terminal.count(len(ended["subscriptions"]), "subscription"),
    )
    if ended["reason"]:
        terminal.print_out("{}", ended["reason"], indent=2)
    for bad in ended["errors"][:10]:
        place = f"record {bad['position']}, line {bad['line']}, at {bad['path']}"
        if joined and bad["line"] is not None:
            name, line = joined.place(bad["line"])
            place = f"{name}, line {line}, at {bad['path']}"
        terminal.print_out("[yellow]left out:[/] {}: {}", place, bad["reason"], indent=2)
