"""A detector trained on drawn shapes: imported, right in pictures of other sizes, and measured."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tercet.models import manifest
from tercet.models.classifier import Classifier
from tercet.models.detection import evaluate
from tercet.models.detector_import import DetectorDescription, import_detector
from tercet.models.errors import AssetError, ModelError
from tercet.models.tensor_form import TensorForm
from tests import shapes_detector
from tests.shapes_detector import LABELS, Truth, drawn

PICTURES = 24


def add(name: str, file: Path, directory: Path, names: Path, px: int | None = None) -> None:
    description = DetectorDescription(names, 50.0, "a guess", form=TensorForm(input_px=px))
    import_detector(name, file, directory, description)


@pytest.fixture(scope="module")
def family(shapes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("families") / "shapes"
    add("yolo-96", shapes["yolo"], directory, shapes["labels"], 96)
    add("yolo-128", shapes["yolo"], directory, shapes["labels"], 128)
    add("ssd", shapes["ssd"], directory, shapes["labels"])
    return directory


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coco_folder(tmp_path_factory.mktemp("coco"))


def coco_folder(folder: Path) -> Path:
    """Pictures of shapes with their boxes, as COCO lays them out."""
    (folder / "annotations").mkdir()
    (folder / "images").mkdir()
    listed, objects = [], []
    for number in range(1, PICTURES + 1):
        size = (200 + 10 * (number % 5), 160)
        picture, truth = drawn(number, size)
        picture.save(folder / "images" / f"{number}.png")
        listed.append({"id": number, "file_name": f"{number}.png", "width": size[0],
                       "height": size[1]})  # fmt: skip
        for label, (x0, y0, x1, y1) in truth:
            box = [x0, y0, x1 - x0, y1 - y0]
            objects.append({"id": len(objects) + 1, "image_id": number, "bbox": box,
                            "category_id": 10 * (label + 1), "area": box[2] * box[3],
                            "iscrowd": 0})  # fmt: skip
    categories = [{"id": 10 * (n + 1), "name": name} for n, name in enumerate(LABELS)]
    content = {"images": listed, "annotations": objects, "categories": categories}
    (folder / "annotations" / "instances_test.json").write_text(json.dumps(content))
    return folder


def encoded(picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def share_found(classifier: Classifier, variant: str, size: tuple[int, int]) -> float:
    """Share of the objects that have a box of their class on them."""
    hits = total = 0
    for seed in range(500, 516):
        picture, truth = drawn(seed, size)
        total += len(truth)
        hits += found(classifier, variant, encoded(picture), truth)
    return hits / total


def found(classifier: Classifier, variant: str, content: bytes, truth: Truth) -> int:
    boxes = [box for box in classifier.classify(content, variant).boxes if box.probability > 0.4]
    return sum(
        any(box.name == LABELS[label] and shapes_detector.overlap(
            np.array(edges), np.array([box.x_min, box.y_min, box.x_max, box.y_max])) > 0.5
            for box in boxes)
        for label, edges in truth
    )  # fmt: skip


@pytest.mark.parametrize("size", [(320, 240), (150, 210), (1280, 960)])
@pytest.mark.parametrize("variant", ["yolo-128", "ssd"])
def test_boxes_are_in_pixels_of_the_picture(
    family: Path, variant: str, size: tuple[int, int]
) -> None:
    assert share_found(Classifier(family), variant, size) >= 0.8


def test_a_turned_picture_has_boxes_where_it_is_upright(family: Path) -> None:
    picture, truth = drawn(501, (320, 240))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    answer = Classifier(family).classify(encoded(turned, exif=exif), "yolo-128")
    assert answer.picture == (320, 240)
    assert found(Classifier(family), "yolo-128", encoded(turned, exif=exif), truth) == len(truth)


def test_one_file_of_open_size_is_several_variants(family: Path) -> None:
    listed = manifest.load(family)
    small, large, ssd = (listed.entry(name) for name in ("yolo-96", "yolo-128", "ssd"))
    assert listed.task == "detection"
    assert small.file == large.file != ssd.file
    assert (small.input_px, large.input_px, ssd.input_px) == (96, 128, 128)
    assert small.million_macs is not None and large.million_macs is not None
    assert 1.5 < large.million_macs / small.million_macs < 2.1
    assert len(list(family.glob("*.onnx"))) == 2


def test_a_batch_of_pictures_gives_each_what_it_gives_alone(family: Path) -> None:
    classifier = Classifier(family)
    contents = [encoded(drawn(seed, (200, 150))[0]) for seed in (1, 2, 3)]
    assert classifier.can_batch("yolo-128") and not classifier.can_batch("ssd")
    together = classifier.classify_all(contents, "yolo-128")
    for content, answer in zip(contents, together, strict=True):
        assert not isinstance(answer, Exception)
        alone = classifier.classify(content, "yolo-128").boxes[0]
        assert answer.boxes[0].name == alone.name
        assert answer.boxes[0].x_min == pytest.approx(alone.x_min, abs=0.1)


def test_map_is_what_pycocotools_counts(family: Path, labelled: Path) -> None:
    result = evaluate.evaluate(family, labelled)
    truth = COCO(str(labelled / "annotations" / "instances_test.json"))
    for variant, measured in result.measured.items():
        counted = COCOeval(truth, truth.loadRes(list(result.predictions[variant])), "bbox")
        counted.evaluate()
        counted.accumulate()
        counted.summarize()
        assert measured.map_pct == pytest.approx(100 * counted.stats[0], abs=0.006)
        assert measured.map50_pct == pytest.approx(100 * counted.stats[1], abs=0.006)
        assert measured.pictures == PICTURES
    assert result.measured["yolo-128"].map50_pct > 80
    assert result.measured["ssd"].map50_pct > 70
    entry = manifest.load(family).entry("yolo-128")
    assert entry.accuracy_pct == result.measured["yolo-128"].map_pct
    assert entry.metric == "mAP@0.5:0.95" and "mAP@0.5:0.95 on 24 pictures" in entry.accuracy_source


def test_a_picture_that_is_missing_is_named_and_not_counted(family: Path, tmp_path: Path) -> None:
    folder = coco_folder(tmp_path)
    (folder / "images" / "3.png").unlink()
    (folder / "images" / "4.png").write_bytes(b"no picture")
    result = evaluate.evaluate(family, folder, ["ssd"], "mAP@0.5")
    assert [name for name, _ in result.skipped] == ["3.png", "4.png"]
    assert result.measured["ssd"].pictures == PICTURES - 2
    assert manifest.load(family).entry("ssd").accuracy_pct == result.measured["ssd"].map50_pct


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not COCO's JSON"),
        ("{}", "'images' is missing"),
        ('{"images": [], "annotations": [], "categories": []}', "lists no objects"),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}],'
            ' "categories": [{"id": 1, "name": "cat"}],'
            ' "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}]}',
            "category 'cat' is no class of ssd",
        ),
    ],
)
def test_annotations_that_do_not_fit_are_refused(
    family: Path, tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(AssetError, match=reason):
        evaluate.evaluate(family, tmp_path, ["ssd"])


def test_what_does_not_fit_a_family_of_detectors_is_refused(
    family: Path, shapes: dict[str, Path], tmp_path: Path
) -> None:
    four = tmp_path / "four.txt"
    four.write_text("a\nb\nc\nd\n")
    with pytest.raises(ModelError, match="8 nor 9 values per box for 4 labels"):
        add("other", shapes["yolo"], tmp_path / "other", four)
    other = tmp_path / "names.txt"
    other.write_text("a\nb\nc\n")
    with pytest.raises(ModelError, match="different labels"):
        add("other", shapes["yolo"], family, other, 64)
    with pytest.raises(ModelError, match=r"variant 'a@b': letters, digits"):
        add("a@b", shapes["yolo"], family, shapes["labels"])
    assert set(manifest.load(family).variants) == {"yolo-96", "yolo-128", "ssd"}


def test_an_oblong_input_and_one_of_uint8_with_channels_last(
    shapes: dict[str, Path], tmp_path: Path
) -> None:
    directory, file = tmp_path / "family", tmp_path / "other.onnx"
    oblong = onnx.load(shapes["yolo"])
    for size, dimension in zip(
        (1, 3, 96, 160), oblong.graph.input[0].type.tensor_type.shape.dim, strict=True
    ):
        dimension.dim_value = size
    file.write_bytes(oblong.SerializeToString())
    add("oblong", file, directory, shapes["labels"])
    file.write_bytes(channels_last(onnx.load(shapes["yolo"])).SerializeToString())
    add("bytes", file, directory, shapes["labels"], 128)
    entries = manifest.load(directory)
    assert entries.entry("oblong").input_px == 160 and not entries.entry("oblong").batches
    raw = entries.entry("bytes")
    assert (raw.layout, raw.input_type, raw.normalisation) == ("NHWC", "uint8", "raw")
    classifier = Classifier(directory)
    assert share_found(classifier, "oblong", (320, 192)) >= 0.75
    assert share_found(classifier, "bytes", (320, 240)) >= 0.75


def channels_last(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model for pixels of 0 to 255, uint8 [1, height, width, 3]."""
    graph = model.graph
    scale = onnx.numpy_helper.from_array(np.array(255, np.float32), "most")
    first = [
        onnx.helper.make_node("Cast", ["bytes"], ["floats"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Div", ["floats", "most"], ["shares"]),
        onnx.helper.make_node("Transpose", ["shares"], ["images"], perm=[0, 3, 1, 2]),
    ]
    nodes = [*first, *graph.node]
    given = onnx.helper.make_tensor_value_info(
        "bytes", onnx.TensorProto.UINT8, [1, "height", "width", 3]
    )
    changed = onnx.helper.make_graph(
        nodes, "bytes", [given], graph.output, [*graph.initializer, scale]
    )
    return onnx.helper.make_model(
        changed, opset_imports=model.opset_import, ir_version=model.ir_version
    )
