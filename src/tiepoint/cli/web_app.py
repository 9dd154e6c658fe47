"""`tiepoint app`."""

from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.options import DeviceOption, LicenseOption, PresetOption
from tiepoint.presets import DEFAULT_PRESET


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is reachable from other machines.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 7860,
    root: Annotated[
        Path | None, typer.Option(help="Folder whose images the page may open.", show_default=False)
    ] = None,
    preset: PresetOption = DEFAULT_PRESET,
    allow_local_urls: Annotated[
        bool,
        typer.Option("--allow-local-urls", help="Download images from private and loopback addresses, too."),
    ] = False,
    allowed_host: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Name under which browsers reach the server; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    max_upload_mb: Annotated[
        float, typer.Option(min=0.1, help="Maximum size of an image file in MB.")
    ] = 50.0,
    device: DeviceOption = "auto",
    accept_license: LicenseOption = False,
) -> None:
    """Serve a page that matches images, and an HTTP API, on this machine. Needs the extra app.

    Nothing is opened, and no other host is contacted, besides downloads of the preset's weights. Ctrl-C stops it.

    Example: tiepoint app --root photos/ --port 8000
    """
    from tiepoint.app.server import serve as run_server
    from tiepoint.app.settings import AppSettings, Limits

    settings = AppSettings(
        host=host,
        port=port,
        root=root,
        preset=preset,
        allow_local_urls=allow_local_urls,
        allowed_hosts=tuple(allowed_host),
        accept_license=accept_license,
        device=device,
        limits=Limits(max_upload_mb=max_upload_mb, max_request_mb=10 * max_upload_mb),
    )
    if not settings.is_local:
        typer.echo(f"warning: {host} is reachable from other machines, without a password", err=True)
    run_server(settings, on_start=lambda url: typer.echo(f"tiepoint app: {url}"))
