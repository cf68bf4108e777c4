"""The published speed recipe for CIFAR-10 as a script for a CPU: the opponent of `experiment=cifar10_fast`.

Jordan, `airbench94_muon` in the repository of arXiv:2404.00498, 2024: 94.01 % of the test images after 8 epochs, in
2.59 s on an A100. Written from the published constants, without this project's code. The network, the two optimizers,
the schedule, the augmentation and the views are the published ones.

Differs from the recipe: bfloat16 for the weights and activations instead of float16, or float32 on a CPU without units
for bfloat16; the allocator reuses freed memory; nothing is compiled.

    python -m cnnlab.benchmarks.airbench IMAGES SEED

IMAGES is a file by torch.save with a dict of `train` and `test`, uint8 (N, 3, 32, 32), and `train_labels` and
`test_labels`, int64 (N,). The line printed is JSON: accuracies in percent, and seconds of training.
"""

import ctypes
import json
import sys
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
EPOCHS, BATCH = 8, 2000
WHITENING_BIAS_EPOCHS = 3  # after which the biases of the first layer are fixed
BIAS_LR, HEAD_LR, FILTER_LR = 0.053, 0.67, 0.24
WEIGHT_DECAY = 2e-6 * BATCH
LABEL_SMOOTHING = 0.2


class Norm(nn.BatchNorm2d):
    """Batch norm with a fixed scale of 1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)


class Group(nn.Module):
    """Two 3x3 convolutions, the first followed by max pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm1 = Norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = Norm(out_channels)
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight.data[: conv.in_channels])

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Net(nn.Module):
    """A whitening layer, three groups and a linear layer."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, kernel_size=2)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(Group(24, 64), Group(64, 256), Group(256, 256))
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()
        patches = F.unfold(images, kernel_size=2).transpose(1, 2).reshape(-1, 12)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (directions / (variances + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
        self.whiten.weight.data = torch.cat((filters, -filters))

    def forward(self, x: Tensor, train_whitening_bias: bool = True) -> Tensor:
        bias = self.whiten.bias
        x = F.gelu(F.conv2d(x, self.whiten.weight, bias if train_whitening_bias or bias is None else bias.detach()))
        x = F.max_pool2d(self.groups(x), 3).flatten(1)
        return self.head(x) / x.shape[1]


class Muon(torch.optim.Optimizer):
    """Normalizes each filter bank, then subtracts its orthogonalized Nesterov momentum."""

    def __init__(self, filters: list[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(filters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            momentum = group["momentum"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["buffer"] = torch.zeros_like(p)
                state["buffer"].mul_(momentum).add_(p.grad)
                direction = p.grad.add(state["buffer"], alpha=momentum)
                p.mul_(len(p) ** 0.5 / p.norm())
                p.add_(orthogonalize(direction.flatten(1)).view(p.shape), alpha=-group["lr"])


def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Newton-Schulz iterations of degree 5 in the matrix's own type."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix) / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def optimizers_of(net: Net) -> tuple[torch.optim.SGD, Muon]:
    """SGD for the whitening biases (its first group), the norms' biases and the head; Muon for the filters."""
    norms = [module.bias for module in net.modules() if isinstance(module, Norm)]
    groups = [
        {"params": params, "lr": lr, "weight_decay": WEIGHT_DECAY / lr}
        for params, lr in (([net.whiten.bias], BIAS_LR), (norms, BIAS_LR), ([net.head.weight], HEAD_LR))
    ]
    filters = [p for p in net.parameters() if p.ndim == 4 and p.requires_grad]
    return torch.optim.SGD(groups, momentum=0.85, nesterov=True), Muon(filters, lr=FILTER_LR, momentum=0.6)


def set_learning_rates(optimizers: tuple[torch.optim.SGD, Muon], step: int, steps_per_epoch: int) -> None:
    """Linear decay to 0 over the run, and over the first epochs for the whitening biases."""
    sgd, muon = optimizers
    progress = step / (EPOCHS * steps_per_epoch)
    for group in (*sgd.param_groups, *muon.param_groups):
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * (1 - progress)
    first = sgd.param_groups[0]
    first["lr"] = first["initial_lr"] * max(0.0, 1 - step / (WHITENING_BIAS_EPOCHS * steps_per_epoch))


def batches(images: Tensor, labels: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled full batches of one epoch. `images` are padded by 2 pixels, and half of them are reflected."""
    shifts = torch.randint(5, (len(images), 2))
    cropped = torch.empty(len(images), 3, 32, 32, dtype=images.dtype).to(memory_format=torch.channels_last)
    for top in range(5):
        for left in range(5):
            chosen = ((shifts[:, 0] == top) & (shifts[:, 1] == left)).nonzero().squeeze(1)
            cropped[chosen] = images[chosen, :, top : top + 32, left : left + 32]
    if epoch % 2:
        cropped = cropped.flip(-1)
    for chosen in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
        yield cropped[chosen].contiguous(memory_format=torch.channels_last), labels[chosen]


def train_step(net: Net, optimizers: tuple[torch.optim.SGD, Muon], x: Tensor, labels: Tensor, early: bool) -> None:
    """Train on one batch; `early` trains the whitening biases too."""
    logits = net(x, train_whitening_bias=early)
    F.cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING, reduction="sum").backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def predict(net: Net, x: Tensor, views: bool) -> Tensor:
    """Logits of normalized images, or their mean over reflections and diagonal shifts by a pixel."""

    def reflected(x: Tensor) -> Tensor:
        return 0.5 * net(x) + 0.5 * net(x.flip(-1))

    if not views:
        return net(x)
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    shifted = 0.5 * reflected(padded[..., :32, :32]) + 0.5 * reflected(padded[..., 2:, 2:])
    return 0.5 * reflected(x) + 0.5 * shifted


def prepare(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Normalized images in `dtype` and channels_last."""
    x = (pixels / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def new_net(images: Tensor, dtype: torch.dtype) -> Net:
    """The network before training, with float32 norms; `images` (N, 3, 32, 32) set its first layer."""
    net = Net(images.float()).to(dtype).to(memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, Norm):
            module.float()
    return net


def train(images: Tensor, labels: Tensor, dtype: torch.dtype) -> Net:
    """Train on uint8 (N, 3, 32, 32); the last incomplete batch of an epoch is dropped."""
    x = prepare(images, dtype)
    net = new_net(x[:5000], dtype)
    optimizers = optimizers_of(net)
    is_reflected = torch.rand(len(x), 1, 1, 1) < 0.5
    x = F.pad(torch.where(is_reflected, x.flip(-1), x), (2, 2, 2, 2), mode="reflect")
    steps, step = len(x) // BATCH, 0
    for epoch in range(EPOCHS):
        for batch in batches(x, labels, epoch):
            set_learning_rates(optimizers, step, steps)
            train_step(net, optimizers, *batch, early=step < WHITENING_BIAS_EPOCHS * steps)
            step += 1
    return net.eval()


def main(path: str, seed: str) -> None:
    keep_freed_memory()
    has_units = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    dtype = torch.bfloat16 if has_units else torch.float32
    data = torch.load(path, mmap=True)
    torch.manual_seed(int(seed))
    began = time.perf_counter()
    net = train(data["train"], data["train_labels"], dtype)
    result = {"seed": int(seed), "seconds": time.perf_counter() - began}
    test = prepare(data["test"], dtype)
    for name, views in (("test", False), ("test with views", True)):
        logits = torch.cat([predict(net, part, views) for part in test.split(BATCH)])
        result[name] = 100 * (logits.argmax(1) == data["test_labels"]).float().mean().item()
    print(json.dumps(result))


def keep_freed_memory() -> None:
    """Make glibc take all memory from its heap and return none of it to the system."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


if __name__ == "__main__":
    main(*sys.argv[1:])
