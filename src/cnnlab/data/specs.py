"""Facts about the datasets: what their pictures are, not what is done with them. A test recomputes the numbers
from the real data; those of CIFAR-100 are the published ones where no copy is at hand."""

from dataclasses import dataclass

DIGITS = tuple("0123456789")

FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """.split()
)


@dataclass(frozen=True)
class DatasetSpec:
    """One dataset.

    Attributes:
        official: the name of its class in torchvision.datasets, where it has one.
        classes: names in the order of the labels; empty where the folders name them.
        in_channels, image_size: of a picture as distributed; `image_size` is the default side for one's own pictures.
        mean, std: a channel's over the training pixels in [0, 1]; empty where they are computed from the pictures.
        mirror: whether a picture reflected left to right keeps its label.
        train_size, test_size: numbers of pictures; 0 where it depends.
    """

    name: str
    official: str
    classes: tuple[str, ...]
    in_channels: int
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mirror: bool
    train_size: int
    test_size: int


SPECS = {
    spec.name: spec
    for spec in (
        DatasetSpec("digits", "", DIGITS, 1, 28, (0.3115,), (0.3559,), mirror=False, train_size=1437, test_size=360),
        DatasetSpec(
            "mnist", "MNIST", DIGITS, 1, 28, (0.1307,), (0.3081,), mirror=False, train_size=60000, test_size=10000
        ),
        DatasetSpec(
            "fashion_mnist", "FashionMNIST", FASHION, 1, 28, (0.2860,), (0.3530,),
            mirror=True, train_size=60000, test_size=10000,
        ),
        DatasetSpec(
            "cifar10", "CIFAR10", CIFAR10, 3, 32, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616),
            mirror=True, train_size=50000, test_size=10000,
        ),
        DatasetSpec(
            "cifar100", "CIFAR100", CIFAR100, 3, 32, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762),
            mirror=True, train_size=50000, test_size=10000,
        ),
        DatasetSpec("image_folder", "", (), 3, 64, (), (), mirror=True, train_size=0, test_size=0),
    )
}  # fmt: skip
