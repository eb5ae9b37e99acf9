"""An import succeeds completely, or changes nothing and gives the reason in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tercet.models import labels, manifest, model_directory, onnx_import, weight_import
from tercet.models.classifier import Classifier
from tercet.models.errors import ModelError
from tercet.models.images import Picture
from tercet.models.onnx_import import ModelDescription
from tests.unit.models import keras_fixture, partial_copy, small_classifier
from tests.unit.models.small_classifier import CLASSES


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Path:
    """A model directory to change: two float variants and their 8-bit forms."""
    return partial_copy.write(models, tmp_path / "models", "d2", "d3", "d6", "d7")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A model directory for models of one's own, which have labels of their own."""
    return tmp_path / "own"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"thing {k}\n" for k in range(CLASSES)))
    return path


def test_published_weights_replace_a_float_variant_and_its_8_bit_form(
    copy: Path, tmp_path: Path, photographs: list[Picture]
) -> None:
    file = tmp_path / keras_fixture.file_name(0.25)
    keras_fixture.write(file, 0.25)
    before = manifest.read(copy)
    found = weight_import.import_weights([file], copy)
    assert found["d7"].pictures == 36 and found["d7"].snr_db > 0
    after = manifest.load(copy)
    assert after.variants["d2"] == before.variants["d2"]
    for name in ("d3", "d7"):
        entry = after.variants[name]
        assert file.name in entry.weights and "not measured" in entry.accuracy_source
        assert entry.file != before.variants[name].file
        assert not (copy / before.variants[name].file).exists()
        result = Classifier(copy).classify(photographs[0].jpeg, name)
        assert all(label.startswith("class-") for label, _ in result.labels)
    # The seeded one beside them still says of itself that its labels mean nothing.
    assert after.labels("d2") == before.labels("d2") == manifest.untrained_labels(1000)
    assert not list(copy.glob(".importing-*"))


def test_two_files_of_one_width_change_nothing(copy: Path, tmp_path: Path) -> None:
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for file in files:
        keras_fixture.write(file, 0.25)
    before = (copy / manifest.FILE_NAME).read_bytes()
    with pytest.raises(ModelError, match=r"b\.h5: another file is of width 0\.25"):
        weight_import.import_weights(files, copy)
    assert (copy / manifest.FILE_NAME).read_bytes() == before


def test_an_onnx_classifier_becomes_a_variant_and_is_quantised(
    own: Path, tmp_path: Path, names: Path, photographs: list[Picture]
) -> None:
    facts = ModelDescription(names, 91.5, "our test set of May", "imagenet")
    onnx_import.import_classifier("d2", small_classifier.write(tmp_path / "own.onnx"), own, facts)
    entry = manifest.load(own).variants["d2"]
    assert (entry.accuracy_pct, entry.accuracy_source) == (91.5, "our test set of May")
    assert (entry.input_px, entry.width, entry.normalisation) == (32, None, "imagenet")
    result = Classifier(own).classify(photographs[0].jpeg, "d2")
    assert {name for name, _ in result.labels} < {f"thing {k}" for k in range(CLASSES)}
    fidelity = weight_import.quantise_variants(own, variants=["d2-int8"])["d2-int8"]
    assert fidelity.top1_agreement_pct > 90
    small = manifest.load(own).variants["d2-int8"]
    assert small.precision == "int8" and small.input_px == 32
    assert "not measured for the 8-bit form" in small.accuracy_source


def test_a_model_with_other_labels_than_its_family_changes_nothing(
    copy: Path, tmp_path: Path, names: Path
) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    model = small_classifier.write(tmp_path / "own.onnx")
    with pytest.raises(ModelError, match="variants d2 and d3 have different labels"):
        onnx_import.import_classifier("d2", model, copy, ModelDescription(names, 50, "a guess"))
    after = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    assert after | {".lock": b""} == before | {".lock": b""}


def test_malformed_label_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    for index, reason in (
        ('{"0": "cat", "1": "dog"}', "a synset and a name"),
        ('{"0": ["n1", "c\\nat"]}', "more than a line"),
    ):
        file.write_text(index)
        with pytest.raises(ModelError, match=reason):
            labels.read(file)
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfcat\ndog\n")
    assert labels.read(tmp_path / "labels.txt") == ("cat", "dog")


def test_a_model_with_one_class_is_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("thing\n")
    model = small_classifier.write(tmp_path / "own.onnx", classes=1)
    with pytest.raises(ModelError, match="has one output"):
        onnx_import.import_classifier(
            "d2", model, copy, ModelDescription(tmp_path / "one.txt", 50, "a guess")
        )


@pytest.mark.parametrize("count", [4, 20])
def test_a_broken_calibration_picture_is_named(
    own: Path, tmp_path: Path, names: Path, photographs: list[Picture], count: int
) -> None:
    # A small model in the place of d3: the assertion does not depend on its size.
    description = ModelDescription(names, 50, "a guess")
    onnx_import.import_classifier(
        "d3", small_classifier.write(tmp_path / "own.onnx"), own, description
    )
    for k in range(count):
        (tmp_path / f"{k}.jpg").write_bytes(photographs[k % len(photographs)].jpeg)
    (tmp_path / "0.jpg").write_bytes(b"")
    unused: dict[str, str] = {}
    weight_import.quantise_variants(own, tmp_path, ["d3"], on_skipped=unused.setdefault)
    assert unused.keys() == {"0.jpg"} and "zero bytes" in unused["0.jpg"]


def test_a_model_that_ends_in_softmax_keeps_its_probabilities(
    own: Path, tmp_path: Path, names: Path, photographs: list[Picture]
) -> None:
    probabilities = []
    for softmax in (False, True):
        model = small_classifier.write(tmp_path / "own.onnx", softmax=softmax)
        onnx_import.import_classifier("d2", model, own, ModelDescription(names, 50, "a guess"))
        result = Classifier(own).classify(photographs[0].jpeg, "d2")
        probabilities.append([p for _, p in result.labels])
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shape": ("batch", 1, 32, 32)}, r"input must be float or uint8, \[N, 3, S, S\]"),
        ({"shape": ("batch", 3, 32, 48)}, r"input must be float or uint8, \[N, 3, S, S\]"),
        ({"classes": 9}, "9 outputs, but 7 labels"),
        ({"opset": 5}, "opset 5 is older than 7: export it with a newer"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    copy: Path, tmp_path: Path, names: Path, options: dict[str, object], reason: str
) -> None:
    before = (copy / manifest.FILE_NAME).read_bytes()
    model = small_classifier.write(tmp_path / "own.onnx", **options)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=reason) as caught:
        onnx_import.import_classifier("d2", model, copy, ModelDescription(names, 50, "a guess"))
    assert "own.onnx" in str(caught.value) and "\n" not in str(caught.value)
    assert (copy / manifest.FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "not a complete ONNX"), (b"not a model", "not a complete ONNX")]
)
def test_files_that_are_not_onnx(
    copy: Path, tmp_path: Path, names: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "own.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        onnx_import.import_classifier(
            "d2", tmp_path / "own.onnx", copy, ModelDescription(names, 50, "a guess")
        )


def test_truncated_and_missing_files(copy: Path, models: Path, tmp_path: Path, names: Path) -> None:
    whole = (models / "d3.onnx").read_bytes()
    (tmp_path / "own.onnx").write_bytes(whole[: len(whole) // 2])
    for name in ("own.onnx", "none.onnx"):
        with pytest.raises(ModelError, match=name):
            onnx_import.import_classifier(
                "d2", tmp_path / name, copy, ModelDescription(names, 50, "a guess")
            )


def test_precision_is_a_property_of_the_file(own: Path, tmp_path: Path, names: Path) -> None:
    model, facts = small_classifier.write(tmp_path / "own.onnx"), ModelDescription(names, 50, "us")
    onnx_import.import_classifier("d6", model, own, facts)
    weight_import.quantise_variants(own)
    found = manifest.load(own).variants
    assert {n: e.precision for n, e in found.items()} == {"d6": "fp32", "d6-int8": "int8"}
    with pytest.raises(ModelError, match="d6-int8-int8"):
        weight_import.quantise_variants(own, variants=["d6-int8-int8"])


def test_a_variant_is_removed_but_never_the_last(own: Path, tmp_path: Path, names: Path) -> None:
    facts = ModelDescription(names, 50, "us")
    for name in ("small", "large"):
        model = small_classifier.write(tmp_path / "own.onnx", softmax=name == "large")
        onnx_import.import_classifier(name, model, own, facts)
    file = manifest.read(own).path("small")
    assert tuple(model_directory.remove(own, ["small"]).variants) == ("large",)
    assert not file.exists()
    for gone in ("small", "large"):
        with pytest.raises(ModelError, match=r"unknown variant 'small'|no variant left"):
            model_directory.remove(own, [gone])


@pytest.mark.parametrize("name", ["", "two words", "a@L", "v" * 33, "../out"])
def test_what_cannot_be_a_name_is_refused(
    name: str, own: Path, tmp_path: Path, names: Path
) -> None:
    model, facts = small_classifier.write(tmp_path / "own.onnx"), ModelDescription(names, 50, "us")
    with pytest.raises(ModelError, match="letters, digits"):
        onnx_import.import_classifier(name, model, own, facts)
    assert not own.exists()


def test_labels_from_keras_class_index_and_malformed_ones(tmp_path: Path) -> None:
    index = tmp_path / "index.json"
    index.write_text('{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}')
    names = labels.read(index)
    assert names == ("n01440764 tench", "n01443537 goldfish")
    assert (
        labels.class_index("n01443537", names) == 1 and labels.class_index("tench", names) is None
    )
    for content, reason in (
        ("{}", "it is empty"),
        ("[1]", "no class index"),
        ("{", "no class index"),
    ):
        index.write_text(content)
        with pytest.raises(ModelError, match=reason):
            labels.read(index)
    (tmp_path / "gap.txt").write_text("one\n\nthree\n")
    with pytest.raises(ModelError, match=r"gap\.txt: line 2 is empty"):
        labels.read(tmp_path / "gap.txt")
