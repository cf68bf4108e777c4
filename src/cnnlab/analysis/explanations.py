"""Why the authors of the classic networks chose each layer: the words of the pages that `explained.py` makes.

The sentences are facts about the published networks and contain no numbers; all numbers come from the trace.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """A network with the same layers to compare with.

    Attributes:
        other: name of the other network.
        title: title of the section.
        text: how the other network differs, and why.
    """

    other: str
    title: str
    text: str


@dataclass(frozen=True)
class Explanation:
    """The text of a page about one network.

    Attributes:
        title: title of the page.
        source: the paper.
        why: a sentence for each row or module of the trace that starts a line; other rows join the line before them.
        difference: a comparison with another network, or None.
    """

    title: str
    source: str
    why: dict[str, str]
    difference: Difference | None = None


FLATTEN = "A fully connected layer has no notion of position, so the feature maps become one vector."
LOGITS = "One logit per class. The softmax is part of the loss."

EXPLANATIONS = {
    "lenet5": Explanation(
        title="LeNet-5, layer by layer",
        source='LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.',
        why={
            "c1": "Each unit sees a small window of the image, and all units of a feature map share their weights, so "
            "a stroke is detected wherever it is, with few weights. The image is padded, so that strokes at its "
            "border can reach the center of a window.",
            "tanh": "Tanh makes the network nonlinear and bounds the values. It follows every convolution and fully "
            "connected layer except the last.",
            "s2": "Subsampling: once a feature is detected, only its position relative to other features matters, so "
            "the mean of each window suffices. In the paper, each map also has a trainable weight and bias here.",
            "c3": "Combines the features of s2 into larger ones. Here each map sees all maps of s2.",
            "s4": "As s2.",
            "flatten": FLATTEN,
            "c5": "In the paper, a convolution whose kernel covers the complete map, which is a fully connected layer. "
            "This layer holds most of the network's parameters.",
            "f6": "In the paper, its units are compared with a drawn image of each character, so there are as many "
            "units as that image has pixels.",
            "output": LOGITS + " In the paper, each unit measures the distance to the image of a character.",
        },
        difference=Difference(
            other="lenet5_1998",
            title="As in the paper",
            text="The paper's subsampling has weights, and each map of c3 sees only some of the maps of s2. That saves "
            "connections and forces the maps to learn different features. These layers differ:",
        ),
    ),
    "alexnet_2012": Explanation(
        title="AlexNet, layer by layer",
        source='Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", '
        "2012.",
        why={
            "conv1": "Neighboring pixels are similar, so a large kernel with a large stride is enough to detect edges "
            "and colors, and it reduces the size of the feature maps immediately.",
            "relu": "ReLU does not saturate for large values as tanh does, so the network trains several times faster. "
            "It follows every convolution and fully connected layer except the last.",
            "norm1": "Local response normalization divides each value by a function of the values at the same position "
            "in neighboring channels, so the strongest responses stand out. VGG found no benefit and dropped it.",
            "pool1": "Overlapping pooling: the window is larger than its stride, which in the paper gave slightly "
            "lower error and less overfitting than windows that do not overlap.",
            "conv2": "Two towers: one GPU had too little memory, so each GPU holds half of the kernels, which see only "
            "the feature maps on the same GPU. This also halves the number of weights.",
            "norm2": "As norm1.",
            "pool2": "As pool1. The convolutions that follow preserve the size of the feature maps.",
            "conv3": "The only convolution after conv1 that sees the feature maps of both towers, so this is where "
            "they exchange features.",
            "conv4": "In two towers again. A stack of small kernels has the receptive field of one large kernel, with "
            "a ReLU between them.",
            "conv5": "In two towers. It has fewer feature maps, because every position of every map adds a weight to "
            "each unit of fc6.",
            "pool5": "Reduces the size of the feature maps for the same reason.",
            "flatten": FLATTEN,
            "fc6": "Each unit sees all positions of all feature maps. This layer holds most of the network's "
            "parameters and so overfits most easily.",
            "dropout6": "In training, randomly chosen units are set to zero, so that no unit can rely on another. In "
            "evaluation all units are used.",
            "fc7": "Combines the features of fc6, which come from anywhere in the image.",
            "dropout7": "As dropout6. In the paper, the network overfits substantially without dropout, and needs more "
            "iterations to converge with it.",
            "fc8": LOGITS,
        },
        difference=Difference(
            other="alexnet",
            title="In one tower",
            text='The form of Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, is '
            "the one in common use: every convolution sees all feature maps of the previous one, conv1, conv2 and "
            "conv4 have fewer kernels, and there is no local response normalization. These layers differ:",
        ),
    ),
    "zfnet": Explanation(
        title="ZFNet, layer by layer",
        source='Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2013.',
        why={
            "conv1": "Images of what AlexNet's filters respond to showed many dead filters and few for medium "
            "frequencies, and artifacts of its large stride in the next layer. So kernel and stride are smaller here.",
            "relu": "ReLU follows every convolution and fully connected layer except the last, as in AlexNet.",
            "pool1": "The window is larger than its stride, as in AlexNet.",
            "norm1": "Local response normalization, as in AlexNet, but after the pooling.",
            "conv2": "Has a stride, because the smaller stride of conv1 leaves larger feature maps. Every convolution "
            "sees all feature maps of the previous layer: the network fits on one GPU.",
            "pool2": "As pool1.",
            "norm2": "As norm1.",
            "conv3": "From here on, the size of the feature maps is AlexNet's.",
            "conv4": "Without AlexNet's towers, so each kernel sees all feature maps.",
            "conv5": "As conv4. The paper shows that units here respond to parts of objects, and to whole objects.",
            "pool5": "Reduces the size of the feature maps before the fully connected layers.",
            "flatten": FLATTEN,
            "fc6": "This layer holds most of the network's parameters. In the paper, removing it and fc7 increases "
            "the error only slightly.",
            "dropout6": "In training, randomly chosen units are set to zero, so that no unit can rely on another.",
            "fc7": "Combines the features of fc6, which come from anywhere in the image.",
            "dropout7": "As dropout6.",
            "fc8": LOGITS,
        },
        difference=Difference(
            other="alexnet_2012",
            title="AlexNet",
            text="ZFNet keeps AlexNet's layers and changes what its visualizations showed to be weak: the kernel and "
            "the stride of conv1. It has no towers. These layers differ:",
        ),
    ),
    "vgg16": Explanation(
        title="VGG-16, layer by layer",
        source='Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014.',
        why={
            "conv1": "All kernels are the smallest that have a center, padded to preserve the size. Two in a row see "
            "as much as one larger kernel, with fewer weights and another ReLU between them.",
            "pool1": "Windows that do not overlap halve the sides of the feature maps.",
            "conv2": "After a pooling, the number of channels doubles. With a quarter of the positions, a convolution "
            "inside a stage then takes as many multiplications as in the stage before.",
            "pool2": "As pool1.",
            "conv3": "Three in a row see as much as one still larger kernel. The networks of the paper differ in the "
            "number of convolutions per stage.",
            "pool3": "As pool1.",
            "conv4": "The number of channels doubles for the last time.",
            "pool4": "As pool1.",
            "conv5": "As many channels as in conv4 on a quarter of the positions, so these layers are cheap.",
            "pool5": "As pool1.",
            "flatten": FLATTEN,
            "fc6": "Each unit sees all positions of all feature maps. This layer holds most of the network's "
            "parameters.",
            "dropout6": "In training, randomly chosen units are set to zero, so that no unit can rely on another.",
            "fc7": "Combines the features of fc6, which come from anywhere in the image.",
            "dropout7": "As dropout6.",
            "fc8": LOGITS + " For larger images, the paper turns the fully connected layers into convolutions.",
        },
    ),
    "nin": Explanation(
        title="Network in network, layer by layer",
        source='Lin, Chen and Yan, "Network in network", 2013.',
        why={
            "mlpconv1": "A convolution and two convolutions with kernels of one pixel: a small multilayer perceptron "
            "at each position, which detects features that a single linear filter cannot separate.",
            "pool1": "Reduces the size of the feature maps. Its windows overlap.",
            "dropout1": "Dropout between the blocks, because there are no fully connected layers to apply it to.",
            "mlpconv2": "As mlpconv1, on the features of the first block.",
            "pool2": "The mean in place of the maximum, as in the authors' published network.",
            "dropout2": "As dropout1.",
            "mlpconv3": "Its last convolution has one feature map per class: a map of where the class is.",
            "avgpool": "The mean of each class's map replaces the fully connected layers. It has no parameters "
            "that could overfit, and it does not depend on where an object is.",
            "flatten": LOGITS,
        },
    ),
    "googlenet": Explanation(
        title="GoogLeNet, layer by layer",
        source='Szegedy et al., "Going deeper with convolutions", 2014.',
        why={
            "before.conv1": "A large kernel with a stride reduces the size of the feature maps before the costly part.",
            "before.pool1": "Reduces the size further.",
            "before.norm1": "Local response normalization, as in AlexNet.",
            "before.reduce2": "A kernel of one pixel mixes the channels of each position, as in network in network.",
            "before.conv2": "The last convolution that is not part of an inception.",
            "before.norm2": "As before.norm1.",
            "before.pool2": "As before.pool1.",
            "inception_3a": "Objects come in different sizes, so kernels of different sizes and a pooling see the same "
            "maps in parallel, and their results are concatenated. Before the larger kernels, which would cost too "
            "much, and after the pooling, kernels of one pixel reduce the number of channels.",
            "inception_3b": "As inception_3a, with more channels.",
            "pool3": "Reduces the size between the stages.",
            "inception_4a": "In training, an auxiliary head classifies this result and adds to the gradient of the "
            "layers before it.",
            "inception_4b": "Toward the output, features are less local, so larger kernels get more of the channels.",
            "inception_4c": "As inception_4b.",
            "inception_4d": "As inception_4b. The second auxiliary head sees this result.",
            "inception_4e": "As inception_4b.",
            "pool4": "As pool3.",
            "inception_5a": "The same kernels as in inception_4e, on smaller feature maps.",
            "inception_5b": "As inception_5a, with more channels.",
            "avgpool": "The mean of each map, as in network in network, in place of the fully connected layers that "
            "hold most parameters of AlexNet and VGG. In the paper, it also has a lower error than they do.",
            "flatten": "The means become one vector.",
            "dropout": "In the paper, dropout is essential even without large fully connected layers.",
            "fc": LOGITS + " A linear layer also makes it easy to adapt the network to other classes.",
        },
    ),
    "resnet18": Explanation(
        title="ResNet-18, layer by layer",
        source='He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.',
        why={
            "conv1": "A large kernel with a stride, as in GoogLeNet. There is no bias, because bn1 adds one.",
            "bn1": "Batch norm follows every convolution: it normalizes each channel over the batch, so that neither "
            "values nor gradients vanish or explode. There is no dropout.",
            "relu": "ReLU follows every batch norm except the last of a block, where it follows the addition.",
            "pool1": "Reduces the size further before the blocks.",
            "conv2_x.0": "A residual block: its convolutions compute what to add to its input, and the shortcut adds "
            "the input. To leave the features as they are, a block only needs weights near zero, and the shortcut "
            "gives the gradient a short path backward.",
            "conv2_x.1": "As the block before it.",
            "conv3_x.0": "The sides halve and the number of channels doubles, as in VGG. A kernel of one pixel with "
            "the same stride projects the shortcut to the new shape.",
            "conv3_x.1": "Has the same shape as its input, so the shortcut has no parameters.",
            "conv4_x.0": "Another change of shape, with a projection.",
            "conv4_x.1": "The same shape again.",
            "conv5_x.0": "Another change of shape, with a projection.",
            "conv5_x.1": "The same shape again. The blocks of this stage hold most of the network's parameters.",
            "avgpool": "The mean of each map, as in GoogLeNet, so the only fully connected layer is small.",
            "flatten": "The means become one vector.",
            "fc": LOGITS,
        },
        difference=Difference(
            other="plain18",
            title="Without shortcuts",
            text="The paper's plain networks have the same convolutions. If they are deep, their error on the training "
            "images is higher than that of shallow ones: they are harder to optimize, and do not overfit. The "
            "shortcuts cost only the parameters of their projections, so these layers differ:",
        ),
    ),
}
