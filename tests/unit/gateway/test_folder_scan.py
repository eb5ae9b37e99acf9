"""A watched folder: new and changed pictures, each once, newest first; stale ones dropped."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tercet.services.gateway.sources.folder_scan import FolderScan, Version, look

S = 10**9


def test_each_version_comes_once_and_the_newest_first() -> None:
    scan = FolderScan(stale_s=10)
    files: dict[str, Version] = {"a.jpg": (1 * S, 5), "b.jpg": (3 * S, 5), "c.jpg": (2 * S, 5)}
    assert scan.enter(files, 4 * S) == []  # They may still be written.
    assert scan.enter(files, 4 * S) == ["b.jpg", "c.jpg", "a.jpg"]
    scan.taken("b.jpg")
    assert scan.enter(files, 4 * S) == ["c.jpg", "a.jpg"]
    changed = {**files, "b.jpg": (5 * S, 6)}
    assert scan.enter(changed, 5 * S) == ["c.jpg", "a.jpg"]
    assert scan.enter(changed, 5 * S) == ["b.jpg", "c.jpg", "a.jpg"]


def test_half_written_and_empty_files_are_not_taken() -> None:
    scan = FolderScan(stale_s=10)
    for size in range(5):
        assert scan.enter({"a.jpg": (1 * S, size)}, 1 * S) == []
    assert scan.enter({"a.jpg": (1 * S, 4)}, 1 * S) == ["a.jpg"]
    assert scan.enter({"a.jpg": (1 * S, 0)}, 1 * S) == []


def test_stale_ones_are_dropped_and_counted_once() -> None:
    scan = FolderScan(stale_s=10)
    files: dict[str, Version] = {"old.jpg": (1 * S, 5), "new.jpg": (15 * S, 5)}
    for _ in range(3):
        found = scan.enter(files, 16 * S)
    assert (found, scan.stale) == (["new.jpg"], 1)
    assert (scan.enter(files, 30 * S), scan.stale) == ([], 2)


def test_a_file_that_was_removed_and_comes_back_is_new() -> None:
    scan = FolderScan(stale_s=10)
    files: dict[str, Version] = {"a.jpg": (1 * S, 5)}
    scan.enter(files, S)
    assert scan.enter(files, S) == ["a.jpg"]
    scan.taken("a.jpg")
    scan.enter({}, S)
    scan.enter(files, S)
    assert scan.enter(files, S) == ["a.jpg"]


versions = st.dictionaries(
    st.sampled_from(["a.jpg", "b.png", "c.webp"]),
    st.tuples(st.integers(0, 30 * S), st.integers(0, 3)),
)


@given(st.lists(versions, max_size=20))
def test_no_version_is_taken_twice_in_a_row(looks: list[dict[str, Version]]) -> None:
    scan, taken = FolderScan(stale_s=5), dict[str, Version]()
    for number, found in enumerate(looks):
        taken = {name: v for name, v in taken.items() if name in found}
        for name in scan.enter(found, number * S):
            assert taken.get(name) != found[name]
            scan.taken(name)
            taken[name] = found[name]


def test_only_pictures_are_listed_and_a_missing_folder_is_empty(tmp_path: Path) -> None:
    for name in ("a.jpg", "B.PNG", "notes.txt", "c.jpg.part"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    assert set(look(tmp_path)) == {"a.jpg", "B.PNG"}
    assert look(tmp_path / "missing") == {}
