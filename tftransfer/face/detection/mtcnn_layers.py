"""The layers of MTCNN's three nets, from which every engine builds them.

No TensorFlow here. Layers and names are those of the published Caffe nets and of the
package `mtcnn` 1.0.0, whose weights fit them (Zhang, Zhang, Li and Qiao, "Joint Face
Detection and Alignment Using Multi-task Cascaded Convolutional Networks", IEEE Signal
Processing Letters 23 (10), 2016, arXiv 1604.02878).
"""

import dataclasses

# What the nets were trained on: (RGB - 127.5) / 128.
GREY = 127.5
SCALE = 1 / 128
CELL = 12  # side in pixels of what one cell of the proposal net sees
STRIDE = 2  # pixels from one cell to the next


@dataclasses.dataclass(frozen=True)
class Convolve:
    """A convolution without borders, and a PReLU with a slope per channel."""

    name: str
    filters: int
    kernel: int


@dataclasses.dataclass(frozen=True)
class Pool:
    """The largest of each window, every second pixel; `padded` as Keras' "same"."""

    window: int
    padded: bool


@dataclasses.dataclass(frozen=True)
class Connect:
    """A dense layer, and a PReLU; columns are counted before rows, as Caffe's were."""

    name: str
    units: int


@dataclasses.dataclass(frozen=True)
class Head:
    """A linear output per cell or crop; `faces` are probabilities instead."""

    name: str
    units: int
    faces: bool = False


@dataclasses.dataclass(frozen=True)
class Layers:
    """A net: pixels `(batch, side, side, 3)`, its layers in order, its outputs.

    A `side` of None is any size; each head is then a convolution of 1 x 1.
    """

    name: str
    side: int | None
    trunk: tuple
    heads: tuple[Head, ...]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return {"net/layer/weight": shape}, in the order of the published files."""
        side, channels, found = self.side, 3, {}
        for layer in self.trunk:
            if isinstance(layer, Pool):
                side = side and _pooled(side, layer)
                continue
            if isinstance(layer, Convolve):
                kernel = (layer.kernel, layer.kernel, channels, layer.filters)
                found |= self._named("conv", layer.name, kernel, (1, 1))
                side, channels = side and side - layer.kernel + 1, layer.filters
            else:
                kernel = (side * side * channels, layer.units)
                found |= self._named("fc", layer.name, kernel, ())
                channels = layer.units
        window = () if self.side else (1, 1)
        for head in self.heads:
            kernel = (*window, channels, head.units)
            found |= self._weights(head.name, kernel)
        return found

    def _named(self, kind, number, kernel, slopes) -> dict:
        found = self._weights(f"{kind}{number}", kernel)
        return found | {f"{self.name}/prelu{number}/alpha": (*slopes, kernel[-1])}

    def _weights(self, layer, kernel) -> dict:
        path = f"{self.name}/{layer}"
        return {f"{path}/kernel": kernel, f"{path}/bias": kernel[-1:]}


def _pooled(side: int, layer: Pool) -> int:
    return -(-side // 2) if layer.padded else (side - layer.window) // 2 + 1


# Pictures of any size -> offsets and faces of each window of 12 x 12 pixels.
PROPOSAL = Layers(
    "pnet",
    None,
    (Convolve("1", 10, 3), Pool(2, True), Convolve("2", 16, 3), Convolve("3", 32, 3)),
    (Head("conv4-1", 4), Head("conv4-2", 2, faces=True)),
)
# Crops -> better offsets and faces.
REFINEMENT = Layers(
    "rnet",
    24,
    (
        *(Convolve("1", 28, 3), Pool(3, True)),
        *(Convolve("2", 48, 3), Pool(3, False)),
        *(Convolve("3", 64, 2), Connect("4", 128)),
    ),
    (Head("fc5-1", 4), Head("fc5-2", 2, faces=True)),
)
# Larger crops -> offsets, landmarks (five x, then five y) and faces.
OUTPUT = Layers(
    "onet",
    48,
    (
        *(Convolve("1", 32, 3), Pool(3, True)),
        *(Convolve("2", 64, 3), Pool(3, False)),
        *(Convolve("3", 64, 3), Pool(2, True)),
        *(Convolve("4", 128, 2), Connect("5", 256)),
    ),
    (Head("fc6-1", 4), Head("fc6-2", 10), Head("fc6-3", 2, faces=True)),
)
NETS = (PROPOSAL, REFINEMENT, OUTPUT)


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight of the three nets.

    Example:
        >>> weight_shapes()["pnet/conv1/kernel"]
        (3, 3, 3, 10)
    """
    return {key: shape for net in NETS for key, shape in net.weight_shapes().items()}
