"""`tercet models get` against a local server: what is downloaded, and what ends the download."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tercet.cli.models import app
from tercet.models import download, families, imagenet_classes, manifest
from tercet.models.errors import ModelError
from tests.unit.models import keras_fixture


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class CutOff(Quiet):
    """Announces more bytes than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half of it")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Keras publishes it: four files with random weights, and the class index."""
    folder = tmp_path_factory.mktemp("published")
    for width in keras_fixture.WIDTHS:
        keras_fixture.write(folder / keras_fixture.file_name(width), width)
    pairs = [[number, name] for number, name in imagenet_classes.by_number().items()]
    (folder / download.LABELS_FILE).write_text(json.dumps(dict(enumerate(pairs))))
    return folder


@pytest.fixture
def server(published: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    handler = getattr(request, "param", Quiet)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=published)) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.mark.slow
def test_the_published_files_become_the_papers_variants(server: str, tmp_path: Path) -> None:
    options = ["get", "mobilenet-v1", "--from", f"{server}/", "--models", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    found = manifest.load(families.directory(tmp_path, "mobilenet-v1"))
    assert list(found.variants) == [f"d{number}" for number in range(8)] and not found.untrained
    assert found.labels("d0")[652] == "n03763968 military uniform"
    assert found.entry("d0").weights == "Keras applications: mobilenet_1_0_224_tf.h5"


def test_a_download_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), CutOff) as served:
        threading.Thread(target=served.handle_request).start()
        url = f"http://127.0.0.1:{served.server_port}/{download.WEIGHT_FILES[0]}"
        with pytest.raises(ModelError, match="was cut off after 10 bytes"):
            download.fetch(url, tmp_path / "weights.h5")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_downloaded_again(server: str, published: Path) -> None:
    got = download.keras_mobilenet(published, server, lambda name, _stage: pytest.fail(name))
    assert {path.name for path in (*got.weights, got.labels)} == {
        path.name for path in published.iterdir()
    }


def test_a_missing_file_or_server_is_named(server: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"/nowhere/mobilenet_1_0_224_tf.h5 .* HTTP 404$"):
        download.keras_mobilenet(tmp_path, f"{server}/nowhere", lambda _name, _stage: None)
    with pytest.raises(ModelError, match=r"^http://127.0.0.1:1/x cannot be downloaded: "):
        download.fetch("http://127.0.0.1:1/x", tmp_path / "x")
    with pytest.raises(ModelError, match=r"^file:///etc/passwd: http or https is expected$"):
        download.fetch("file:///etc/passwd", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_end_is_ended(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match="sends more than 1000 bytes"):
        download.fetch(f"{server}/{download.WEIGHT_FILES[3]}", tmp_path / "weights.h5")
    assert list(tmp_path.iterdir()) == []


def test_another_family_is_refused() -> None:
    refused = CliRunner().invoke(app, ["get", "doors"])
    assert refused.exit_code != 0
