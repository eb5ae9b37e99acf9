"""`tercet secure init` makes a whole site or nothing, and never replaces an authority."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tercet.cli.secure import app
from tercet.cli.usage_error import UsageError
from tercet.messaging.security.errors import SiteError


def init(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["init", f"--site={folder}", *arguments], catch_exceptions=True)
    if isinstance(done.exception, UsageError | SiteError):
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--device=a=e", "--device=b"), "--device b: write NAME=EDGE"),
        (("--edge=e", "--edge=e"), "there is such a user already"),
        (("--edge=a b=10.0.0.5",), "'a b' is not a name"),
        (("--host=not a host!",), "broker hub: 'not a host!' is no host name or address"),
    ],
)
def test_a_refused_site_leaves_no_folder(
    arguments: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    assert expected in init(tmp_path / "site", *arguments)
    assert not (tmp_path / "site").exists()
    assert "users" in init(tmp_path / "site")


def test_an_authority_is_never_replaced(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "site.json").unlink()
    key = (tmp_path / "ca" / "ca.key").read_bytes()
    assert "ca/ of a site is there" in init(tmp_path)
    assert (tmp_path / "ca" / "ca.key").read_bytes() == key
    assert not list(tmp_path.glob(".new-*"))


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert init(tmp_path / "file") == f"--site {tmp_path / 'file'}: not a folder"
    assert init(Path("/proc/nope")).startswith("--site /proc/nope: ")


def test_a_missing_home_edge_is_reported(tmp_path: Path) -> None:
    assert "there is no edge edge-9 yet" in init(tmp_path / "a", "--device=cam-1=edge-9")
    output = init(tmp_path / "b", "--edge=edge-9", "--device=cam-1=edge-9")
    assert "there is no edge" not in output
