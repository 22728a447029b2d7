"""Networks as people write them, each with something that breaks pruning tools: 3 x 16 x 16 in, 10 logits out."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, kernel: int = 3, **more) -> nn.Sequential:
    layers = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **more), nn.BatchNorm2d(outputs)
    return nn.Sequential(*layers, nn.ReLU())


class Plain(nn.Module):
    """The stem and the end that all of them have, with `middle` in between."""

    def __init__(self, width: int = 32, given: int | None = None) -> None:
        super().__init__()
        self.stem = conv(3, width)
        self.last = nn.Linear(given or width, 10)

    def middle(self, x):
        return x

    def forward(self, x):
        return self.last(self.middle(self.stem(x)).mean((2, 3)))


class TypedReshape(Plain):
    """The number of values behind the flattening is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = conv(32, 32), nn.Linear(32 * 16, 10)

    def forward(self, x):
        x = F.max_pool2d(self.body(self.stem(x)), 4)
        x = x.view(-1, 512)
        return self.last(x)


class Shuffle(Plain):
    """Grouped convolution, channels shuffled between the groups, depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped, self.depthwise = conv(32, 64, 1, groups=2), conv(64, 64, groups=64)
        self.last = nn.Linear(64, 10)

    def middle(self, x):
        x = self.grouped(x)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.depthwise(x)


class TypedShuffle(Shuffle):
    """The same with the number of channels written down."""

    def middle(self, x):
        x = self.grouped(x)
        x = x.view(-1, 2, 32, 16, 16).transpose(1, 2).reshape(-1, 64, 16, 16)
        return self.depthwise(x)


class ShuffleUnits(Plain):
    """Units of ShuffleNet v2: half of the channels passes by, then both halves are shuffled. `way` halves them."""

    def __init__(self, way: str = "chunk") -> None:
        super().__init__()
        self.way = way
        self.branches = nn.ModuleList(
            nn.Sequential(conv(16, 24, 1), conv(24, 24, groups=24), conv(24, 16, 1)) for _ in range(2)
        )

    def halves(self, x):
        half = x.shape[1] // 2
        match self.way:
            case "chunk":
                return x.chunk(2, dim=1)
            case "split":
                return torch.split(x, half, dim=1)
            case "slice":
                return x[:, :half], x[:, half:]
            case "typed split":
                return x.split(16, dim=1)
            case "typed slice":
                return x[:, :16], x[:, 16:]

    def middle(self, x):
        for branch in self.branches:
            past, through = self.halves(x)
            x = torch.cat([past, branch(through)], 1)
            b, c, h, w = x.shape
            x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return x


class PaddedShortcut(Plain):
    """Residual option A: the shortcut gets the channels it lacks as zeros."""

    def __init__(self) -> None:
        super().__init__(given=64)
        self.first = nn.Sequential(nn.Conv2d(32, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64))

    def middle(self, x):
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 16, 16))
        return F.relu(self.second(self.first(x)) + short)


class ScaledByBuffer(Plain):
    """A registered buffer of a value a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.rand(32) + 0.5)
        self.register_buffer("shift", torch.randn(1, 32, 1, 1), persistent=False)
        self.body = conv(32, 32)

    def middle(self, x):
        return self.body(x * self.scale[None, :, None, None] + self.shift)


class Functional(Plain):
    """A convolution without a module around its weight."""

    def __init__(self) -> None:
        super().__init__(given=48)
        self.kernels = nn.Parameter(torch.randn(48, 32, 3, 3) * 0.1)
        self.offsets = nn.Parameter(torch.randn(48) * 0.1)

    def middle(self, x):
        return F.relu(F.conv2d(x, self.kernels, self.offsets, padding=1))


class Normalised(Plain):
    """Local response normalisation: every channel looks at its neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.body = nn.LocalResponseNorm(5, 1e-2), conv(32, 32)
        self.after = conv(32, 32)

    def middle(self, x):
        return self.after(self.body(self.norm(x)))


class Twice(Plain):
    """One module called twice, and one tensor under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.first, self.second = conv(32, 32), nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 1)
        self.second.weight = self.first.weight

    def middle(self, x):
        x = self.shared(self.shared(x))
        return F.relu(self.second(F.relu(self.first(x))))


class Squeezed(Plain):
    """Squeeze and excitation: a gate a channel, 0.5 where all that makes it is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide, self.body = nn.Linear(32, 16), nn.Linear(16, 32), conv(32, 32)

    def middle(self, x):
        gate = torch.sigmoid(self.wide(F.relu(self.narrow(x.mean((2, 3))))))
        return self.body(x * gate[:, :, None, None])


class Sigmoid(Plain):
    """A zero becomes 0.5, which the next layer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.after = conv(32, 32), conv(32, 32)

    def middle(self, x):
        return self.after(self.body(torch.sigmoid(x)))


class Dense(Plain):
    """Every layer reads all that came before."""

    def __init__(self) -> None:
        super().__init__(given=96)
        self.one, self.two = conv(32, 32), conv(64, 32)

    def middle(self, x):
        x = torch.cat([x, self.one(x)], 1)
        return torch.cat([x, self.two(x)], 1)


class Groups(Plain):
    """Two wide groups, many narrow ones, one of each channel with two outputs."""

    def __init__(self) -> None:
        super().__init__(given=64)
        self.columns, self.cardinal, self.multiplied = (
            conv(32, 64, groups=2),
            conv(64, 64, groups=16),
            conv(64, 128, groups=64),
        )
        self.back = conv(128, 64, 1)

    def middle(self, x):
        return self.back(self.multiplied(self.cardinal(self.columns(x))))


class Odds(Plain):
    """Other layers of torch: transposed convolution, PReLU, instance norm, upsampling, pixels for channels."""

    def __init__(self) -> None:
        super().__init__(given=16)
        self.up, self.slopes = nn.ConvTranspose2d(32, 32, 2, 2), nn.PReLU(32)
        self.norm, self.body = nn.InstanceNorm2d(64, affine=True), nn.Conv2d(32, 64, 3, 2, 1)
        self.space = nn.PixelShuffle(2)

    def middle(self, x):
        x = self.norm(self.body(self.slopes(self.up(x))))
        return F.silu(self.space(F.interpolate(x, scale_factor=0.5)))


class Foreign(Plain):
    """Layer norm over channels: all of them at once."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm = conv(32, 32), nn.LayerNorm(32)

    def middle(self, x):
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.body(x)


class Branching(Plain):
    """Python looks at a value: nothing can follow that."""

    def middle(self, x):
        return x if x.mean() > 0 else -x


AWKWARD = {
    "typed reshape": TypedReshape,
    "shuffle": Shuffle,
    "typed shuffle": TypedShuffle,
    **{f"shuffle units, {way}": lambda way=way: ShuffleUnits(way) for way in ("chunk", "split", "slice")},
    **{f"shuffle units, {way}": lambda way=way: ShuffleUnits(way) for way in ("typed split", "typed slice")},
    "padded shortcut": PaddedShortcut,
    "buffer": ScaledByBuffer,
    "functional": Functional,
    "local response norm": Normalised,
    "twice": Twice,
    "squeeze and excitation": Squeezed,
    "sigmoid": Sigmoid,
    "dense connections": Dense,
    "groups": Groups,
    "odds": Odds,
    "layer norm": Foreign,
}


def lively(network: nn.Module) -> nn.Module:
    """Batch norms with statistics, scales and shifts as training leaves them, biases that are not 0."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        elif isinstance(getattr(module, "bias", None), nn.Parameter):
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()
