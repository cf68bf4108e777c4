"""Facts about the datasets: sizes, classes and channel statistics.

A test compares the numbers with the real data if it is available.
"""

from dataclasses import dataclass, replace

from cnnlab.image_spec import Drawing, ImageSpec

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
        name: value of `data.name`.
        official: name of its class in torchvision.datasets; empty if there is none.
        images: the images as distributed. For image folders, the default size; classes and statistics are computed.
        train_size, test_size: number of images; 0 if it is not fixed.
    """

    name: str
    official: str
    images: ImageSpec
    train_size: int
    test_size: int


MNIST = ImageSpec(1, 28, 10, DIGITS, (0.1307,), (0.3081,), mirror=False, drawing=Drawing(20, "mass"))
FASHION_MNIST = ImageSpec(1, 28, 10, FASHION, (0.2860,), (0.3530,), drawing=Drawing(28, "box"))
SMALL_DIGITS = replace(MNIST, mean=(0.3115,), std=(0.3559,), drawing=Drawing(28, "box"))
CIFAR10_STATISTICS = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR100_STATISTICS = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)

SPECS = {
    spec.name: spec
    for spec in (
        DatasetSpec("digits", "", SMALL_DIGITS, 1437, 360),
        DatasetSpec("mnist", "MNIST", MNIST, 60000, 10000),
        DatasetSpec("fashion_mnist", "FashionMNIST", FASHION_MNIST, 60000, 10000),
        DatasetSpec("cifar10", "CIFAR10", ImageSpec(3, 32, 10, CIFAR10, *CIFAR10_STATISTICS), 50000, 10000),
        DatasetSpec("cifar100", "CIFAR100", ImageSpec(3, 32, 100, CIFAR100, *CIFAR100_STATISTICS), 50000, 10000),
        DatasetSpec("image_folder", "", ImageSpec(3, 64, 0), 0, 0),
    )
}
