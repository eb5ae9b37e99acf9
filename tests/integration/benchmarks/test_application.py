"""The verb `application`: its table and figure, and answers and refusals as it counts them."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks import application


class Gateway(BaseHTTPRequestHandler):
    """Refuses every second picture."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503 if self.asked % 2 else 200)
        self.end_headers()
        self.wfile.write(b'{"option": "d0@E"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_request_is_a_row_answered_or_not(url: str) -> None:
    rows = application.asked([url], 0.5, 20)
    assert [round(row["at_s"], 1) for row in rows][::5] == pytest.approx([0.0, 0.25], abs=0.2)
    assert sorted(str(row["option"]) for row in rows) == ["None"] * 5 + ["d0@E"] * 5


def test_the_table_is_by_part_and_the_figure_is_written(tmp_path: Path) -> None:
    rows = [
        {"at_s": 1.0, "ms": 100.0, "option": "d0@L"},
        {"at_s": 2.0, "ms": 300.0, "option": "d0@E"},
        {"at_s": 3.0, "ms": 9000.0, "option": None},
        {"at_s": 41.0, "ms": 50.0, "option": "d0@C"},
    ]
    shown = application.render(rows).splitlines()
    assert shown[2:] == [
        "| 0 | 3 | 1 | 200.0 | 200.0 | d0@L 1, d0@E 1 |",
        "| 20 | 0 | 0 | None | None |  |",
        "| 40 | 1 | 0 | 50.0 | 50.0 | d0@C 1 |",
    ]
    application.draw(rows, tmp_path / "seen.png")
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
