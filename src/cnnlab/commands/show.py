"""`show`: the images of a dataset before training, as figures and in TensorBoard."""

import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, islice
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from cnnlab.augment import Augmentation, BatchContext
from cnnlab.build.check import build_augmentation, expected_images
from cnnlab.config.schema import ShowConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.description import Description, by_class_in_turn, describe
from cnnlab.data.originals import FolderContent, Original, folder_content
from cnnlab.data.splits import Stream, generator_for
from cnnlab.figures.augmented import draw_augmented, mixture_of
from cnnlab.figures.class_distribution import draw_class_distribution
from cnnlab.figures.class_means import draw_class_means
from cnnlab.figures.fonts import drawable, lacking_characters
from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.image_sizes import draw_image_sizes
from cnnlab.figures.labels import class_labels, shortened
from cnnlab.figures.pixel_values import draw_pixel_values
from cnnlab.figures.style import pixels, save
from cnnlab.files import writing
from cnnlab.machine.setup import keep_freed_memory
from cnnlab.preprocessing import UnreadableImage, denormalize, read_image
from cnnlab.preprocessing.pixels import pixels_of
from cnnlab.rendering.tables import aligned

WIDTH = 80  # characters of a line of facts
IN_A_ROW = 10  # images of a grid
AUGMENTED = 10  # images whose augmented versions are drawn
EXTREMES = 10  # of the smallest and of the largest files
NAMES, NAME = 250, 30  # characters of the classes in the facts, and of one of them
TOGETHER = "\N{NO-BREAK SPACE}"  # in place of a space at which no line ends
SUFFIX = ".show"  # of TensorBoard's file, which a later call replaces


def run(cfg: ShowConfig) -> None:
    """Read the images of `cfg`, print their facts, and draw them.

    Raises:
        UserError: the images cannot be read, the augmentation cannot be built, or the figures cannot be written.
    """
    keep_freed_memory()
    build_augmentation(cfg.augment, expected_images(cfg.data))  # reports a mistake before any data is read
    options = cfg.data.model_dump(exclude={"epochs", "batch_size", "order_seed"})
    data = ImageDataModule(**options, batch_size=1, seed=cfg.seed)
    data.setup()
    augmentation = build_augmentation(cfg.augment, data.spec)
    description = describe(data.train, data.spec.num_classes)
    content = folder_content(data.root) if data.name == "image_folder" else None
    facts = aligned([*_facts(data, description, augmentation), *(_folder_facts(data, content) if content else ())])
    print(facts)
    figures = dict(_figures(cfg, data, augmentation, description))
    figures |= dict(_folder_figures(data, content)) if content else {}
    folder = Path(cfg.figures)
    with writing(f"figures={folder}"):
        paths = [save(figure, folder / f"{name}.png") for name, figure in figures.items()]
        _write_events(folder, figures, facts)
    lines = [("figures" if path is paths[0] else "", str(path)) for path in paths]
    logs = cfg.log_dir if folder.is_relative_to(cfg.log_dir) else folder
    print(f"\n{aligned([*lines, ('TensorBoard', f'tensorboard --logdir {logs}')])}")


def _write_events(folder: Path, figures: Mapping[str, Figure], facts: str) -> None:
    """Write the figures and facts for TensorBoard, in place of those that an earlier call wrote."""
    for earlier in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
        earlier.unlink()
    with SummaryWriter(folder, filename_suffix=SUFFIX) as writer:
        for name, figure in figures.items():
            writer.add_image(f"data/{name}", pixels(figure), dataformats="HWC")
        writer.add_text("data/facts", textwrap.indent(facts, "    "))


def _facts(data: ImageDataModule, description: Description, augmentation: Augmentation) -> Iterator[tuple[str, str]]:
    """What the set of images is, in lines of at most WIDTH characters."""
    spec = data.spec
    validation = f"{len(data.val):,} validation" if len(data.val) else "no validation"
    stored = data.train.split.images.shape[-1]
    resized = "" if stored == spec.image_size else f", resized from {stored}"
    yield from _wrapped("data", f"{data.name} from {data.dataset.source}")
    yield "images", f"{len(data.train):,} training, {validation}, {len(data.test):,} test"
    yield "input", f"{spec}{resized}, {spec.num_classes:,} classes"
    yield from _wrapped("classes", _class_names(spec.classes))
    if lacking := lacking_characters("".join(spec.classes)):
        text = (
            f"no installed font has {' '.join(sorted(lacking))}; the figures number the classes with these characters"
        )
        yield from _wrapped("fonts", text)
    yield from _wrapped("balance", _balance(description.class_counts, spec.classes))
    for name, used, measured in (("mean", spec.mean, description.mean), ("std", spec.std, description.std)):
        texts = [" ".join(f"{value:.4f}" for value in values) for values in (used, measured)]
        yield name, texts[0] + ("" if texts[0] == texts[1] else f"; of these training images {texts[1]}")
    yield from _wrapped("augment", str(augmentation))


def _class_names(classes: Sequence[str]) -> str:
    """The names that fit into some lines, with the numbers that figures may give them."""
    names = [shortened(name, NAME) for name in classes]
    numbered = [name if name == str(number) else f"{number}{TOGETHER}{name}" for number, name in enumerate(names)]
    lengths = accumulate(len(name) + 2 for name in numbered)
    named = max(1, sum(length <= NAMES for length in lengths))
    return ", ".join(numbered[:named]) + (f", and {len(classes) - named:,} more" if named < len(classes) else "")


def _balance(counts: Tensor, classes: Sequence[str]) -> str:
    """The smallest and the largest class."""
    low, high = int(counts.argmin()), int(counts.argmax())
    fewest, most = int(counts[low]), int(counts[high])
    if fewest == most:
        return f"each class has {most:,} training images"
    times = f", {most / fewest:.1f} times as many" if fewest else ""
    smallest, largest = shortened(classes[low], NAME), shortened(classes[high], NAME)
    return f"from {fewest:,} training images ({smallest}) to {most:,} ({largest}){times}"


def _wrapped(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A fact in as many lines as it needs."""
    for number, line in enumerate(textwrap.wrap(text, WIDTH - 10, break_on_hyphens=False) or [""]):
        yield (name if number == 0 else ""), line.replace(TOGETHER, " ")


def _figures(
    cfg: ShowConfig, data: ImageDataModule, augmentation: Augmentation, description: Description
) -> Iterator[tuple[str, Figure]]:
    """The figures of any dataset, by the name of their file."""
    classes, labels = data.spec.classes, class_labels(data.spec.classes)
    name = data.root.resolve().name if data.name == "image_folder" else data.name
    positions = by_class_in_turn(data.train.labels, cfg.images, generator_for(Stream.ORDER, cfg.seed))
    columns = max(1, IN_A_ROW // len(classes)) * len(classes) if len(classes) <= IN_A_ROW else IN_A_ROW
    ordered = positions if _fills_columns(data.train.labels[positions], len(classes)) else _by_class(data, positions)
    images, targets = data.train[ordered]
    captions = [labels[target] for target in targets.tolist()]
    title = f"{name}: {len(images):,} of {len(data.train):,} training images"
    yield "images", draw_image_grid(images, captions, columns=columns, title=title)
    yield "augmented", _augmented(cfg, data, augmentation, _by_class(data, positions[:AUGMENTED]), name)
    sets = {"training": data.train, "validation": data.val, "test": data.test}
    counts = {name: torch.bincount(part.labels, minlength=len(classes)).tolist() for name, part in sets.items()}
    yield "class_distribution", draw_class_distribution(counts, classes, f"{name}: images of each class")
    title = f"{name}: mean of each class's training images"
    yield "class_means", draw_class_means(description.class_means, counts["training"], classes, title)
    title = f"{name}: pixels of the training images"
    yield "pixel_values", draw_pixel_values(description.histogram, description.mean, description.std, title)


def _fills_columns(labels: Tensor, num_classes: int) -> bool:
    """Whether each class has a column of a grid, which takes the images of all classes in turn."""
    return bool((labels == torch.arange(len(labels)) % num_classes).all())


def _by_class(data: ImageDataModule, positions: Tensor) -> Tensor:
    """The positions with those of a class together."""
    return positions[data.train.labels[positions].argsort(stable=True)]


def _augmented(
    cfg: ShowConfig, data: ImageDataModule, augmentation: Augmentation, positions: Tensor, name: str
) -> Figure:
    """Some images as the network sees them in the first epochs."""
    images, targets = data.train[positions]
    labels = class_labels(data.spec.classes)
    versions, captions = [], []
    for epoch in range(cfg.versions):
        context = BatchContext(cfg.seed, epoch, data.train.indices[positions])
        x, mixed = augmentation(images, targets, generator_for(Stream.AUGMENTATION, cfg.seed, epoch, 0), context)
        versions.append(denormalize(x, data.spec))
        captions.append([mixture_of(row, labels) for row in mixed] if augmentation.mix_steps else [""] * len(x))
    return draw_augmented(
        images,
        versions,
        [labels[target] for target in targets.tolist()],
        ["original", *(f"epoch {epoch + 1}" for epoch in range(cfg.versions))],
        f"{name}: images in the first epochs; augmentation: {augmentation}",
        captions,
    )


def _folder_facts(data: ImageDataModule, content: FolderContent) -> Iterator[tuple[str, str]]:
    """What an image folder's files are, and which of them are not read."""
    smallest, largest = content.originals[0], content.originals[-1]
    for name, original in (("smallest", smallest), ("largest", largest)):
        yield from _wrapped(name, f"{original.size} pixels: {os.path.relpath(original.path, data.root)}")
    enlarged = sum(min(original.width, original.height) < data.image_size for original in content.originals)
    if enlarged:
        yield from _wrapped("enlarged", f"{enlarged:,} images that are smaller than {data.image_size} pixels")
    yield from _wrapped("left out", _left_out(content, data.root))


def _left_out(content: FolderContent, root: Path) -> str:
    """The files that are not read, by the end of their name."""
    if not content.left_out:
        return "no files"
    kinds = Counter(os.path.splitext(path)[1].lower() or "without ending" for path in content.left_out)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
    more = f", and {len(kinds) - 4:,} other kinds" if len(kinds) > 4 else ""
    files = "file" if len(content.left_out) == 1 else "files"
    return f"{len(content.left_out):,} {files} ({counts}{more}), such as {os.path.relpath(content.left_out[0], root)}"


def _folder_figures(data: ImageDataModule, content: FolderContent) -> Iterator[tuple[str, Figure]]:
    """The figures of an image folder's files."""
    originals, name = content.originals, data.root.resolve().name
    sizes = [(original.width, original.height) for original in originals]
    yield "image_sizes", draw_image_sizes(sizes, data.image_size, f"{name}: {len(sizes):,} image files")
    few = min(EXTREMES, len(originals) // 2)
    smallest, largest = (list(islice(_readable(part), few)) for part in (originals, reversed(originals)))
    shown = [*smallest, *reversed(largest)]
    captions = ["\n".join((*map(drawable, Path(one.path).parts[-2:]), one.size)) for one, _ in shown]
    title = f"{name}: the smallest and the largest images"
    yield "extremes", draw_image_grid([image for _, image in shown], captions, columns=few, title=title)


def _readable(originals: Iterable[Original], side: int = 256) -> Iterator[tuple[Original, Tensor]]:
    """The files that can be read, with their images (3, H, W) in at most `side` pixels a side."""
    for original in originals:
        with suppress(UnreadableImage):  # its header may be whole and its pixels damaged
            image = read_image(original.path, "RGB")
            image.thumbnail((side, side))
            yield original, pixels_of(image)
