"""What each architecture costs and how well it does on ImageNet, as keras.io lists it.

Plain data: importing this file imports neither Keras nor NumPy, so that a command line
can print the table at once. Source: keras-team/keras-io,
templates/api/applications/index.md (MobileNetV3 is not listed there: None).
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One row of the catalogue.

    Args:
        name: The name that `Backbone` takes, such as "resnet50".
        application: The function of `keras.applications` that builds it, or None.
        family: Architectures of one family share their preprocessing.
        parameters: Count with the 1000-class top; "tiny" has no top.
        size_mb: Size of the weights with the top, in megabytes, or None.
        depth: Layers with parameters, or None.
        top1: ImageNet top-1 accuracy in percent, or None.
        top5: ImageNet top-5 accuracy in percent, or None.
        image_size: Height and width in pixels that it was built for.
    """

    name: str
    application: str | None
    family: str
    parameters: int
    size_mb: float | None
    depth: int | None
    top1: float | None
    top5: float | None
    image_size: int


# name of the application, family, parameters, MB, depth, top-1, top-5, pixels
_ROWS = """
Xception          xception          22910480   88     81  79.0 94.5 299
VGG16             vgg               138357544  528    16  71.3 90.1 224
VGG19             vgg               143667240  549    19  71.3 90.0 224
ResNet50          resnet            25636712   98     107 74.9 92.1 224
ResNet50V2        resnet_v2         25613800   98     103 76.0 93.0 224
ResNet101         resnet            44707176   171    209 76.4 92.8 224
ResNet101V2       resnet_v2         44675560   171    205 77.2 93.8 224
ResNet152         resnet            60419944   232    311 76.6 93.1 224
ResNet152V2       resnet_v2         60380648   232    307 78.0 94.2 224
InceptionV3       inception_v3      23851784   92     189 77.9 93.7 299
InceptionResNetV2 inception_resnet_v2 55873736 215    449 80.3 95.3 299
MobileNet         mobilenet         4253864    16     55  70.4 89.5 224
MobileNetV2       mobilenet_v2      3538984    14     105 71.3 90.1 224
MobileNetV3Small  mobilenet_v3      2554968    -      -   -    -    224
MobileNetV3Large  mobilenet_v3      5507432    -      -   -    -    224
DenseNet121       densenet          8062504    33     242 75.0 92.3 224
DenseNet169       densenet          14307880   57     338 76.2 93.2 224
DenseNet201       densenet          20242984   80     402 77.3 93.6 224
NASNetMobile      nasnet            5326716    23     389 74.4 91.9 224
NASNetLarge       nasnet            88949818   343    533 82.5 96.0 331
EfficientNetB0    efficientnet      5330571    29     132 77.1 93.3 224
EfficientNetB1    efficientnet      7856239    31     186 79.1 94.4 240
EfficientNetB2    efficientnet      9177569    36     186 80.1 94.9 260
EfficientNetB3    efficientnet      12320535   48     210 81.6 95.7 300
EfficientNetB4    efficientnet      19466823   75     258 82.9 96.4 380
EfficientNetB5    efficientnet      30562527   118    312 83.6 96.7 456
EfficientNetB6    efficientnet      43265143   166    360 84.0 96.8 528
EfficientNetB7    efficientnet      66658687   256    438 84.3 97.0 600
EfficientNetV2B0  efficientnet_v2   7200312    29     -   78.7 94.3 224
EfficientNetV2B1  efficientnet_v2   8212124    34     -   79.8 95.0 240
EfficientNetV2B2  efficientnet_v2   10178374   42     -   80.5 95.1 260
EfficientNetV2B3  efficientnet_v2   14467622   59     -   82.0 95.8 300
EfficientNetV2S   efficientnet_v2   21612360   88     -   83.9 96.7 384
EfficientNetV2M   efficientnet_v2   54431388   220    -   85.3 97.4 480
EfficientNetV2L   efficientnet_v2   119027848  479    -   85.7 97.5 480
ConvNeXtTiny      convnext          28589128   109.42 -   81.3 -    224
ConvNeXtSmall     convnext          50223688   192.29 -   82.3 -    224
ConvNeXtBase      convnext          88591464   338.58 -   85.3 -    224
ConvNeXtLarge     convnext          197767336  755.07 -   86.3 -    224
ConvNeXtXLarge    convnext          350196968  1310   -   86.7 -    224
"""


def _number(text: str, kind: type):
    return None if text == "-" else kind(text)


def _parse(line: str) -> Architecture:
    application, family, parameters, size, depth, top1, top5, pixels = line.split()
    return Architecture(
        name=application.lower(),
        application=application,
        family=family,
        parameters=int(parameters),
        size_mb=_number(size, float),
        depth=_number(depth, int),
        top1=_number(top1, float),
        top5=_number(top5, float),
        image_size=int(pixels),
    )


# Ships inside the package; its size is that of the file, its accuracy is on MNIST.
_TINY = Architecture("tiny", None, "tiny", 0, 0.0, 0, None, None, 32)

ARCHITECTURES = {
    row.name: row for row in [_TINY, *map(_parse, _ROWS.strip().splitlines())]
}


def find_architecture(name: str) -> Architecture:
    """Look an architecture up; case, "_" and "-" in the name do not matter.

    Args:
        name: Such as "mobilenet_v2", "MobileNetV2", "efficientnetv2-b0" or "tiny".

    Returns:
        Its row of the catalogue.

    Raises:
        ValueError: When there is no such architecture.

    Example:
        >>> find_architecture("MobileNet_V2").parameters
        3538984
    """
    plain = str(name).lower().replace("_", "").replace("-", "")
    if plain not in ARCHITECTURES:
        from tftransfer.core.validation import nearest  # imports Keras

        raise ValueError(
            "Expected `architecture` to be one that `catalogue()` lists. Received: "
            f"{name!r}. {nearest(plain, ARCHITECTURES)} Any other Keras model: "
            "`Backbone.from_model(model)`."
        )
    return ARCHITECTURES[plain]


def catalogue(
    max_size_mb: float | None = None, sort: str = "name"
) -> list[Architecture]:
    """List the architectures that `Backbone` knows.

    Args:
        max_size_mb: Leave out architectures whose weights are larger, in megabytes,
            and those of unknown size. None keeps all.
        sort: "name" or "family" (alphabetical), "size_mb" or "parameters" (smallest
            first), "depth", "top1" or "top5" (highest first). Unknown values come last.

    Returns:
        List of `Architecture`.

    Raises:
        ValueError: When `sort` is none of these.

    Example:
        >>> [row.name for row in catalogue(max_size_mb=30, sort="top1")][:2]
        ['efficientnetv2b0', 'efficientnetb0']
    """
    columns = ("name", "family", "size_mb", "parameters", "depth", "top1", "top5")
    if sort not in columns:
        raise ValueError(f"Expected `sort` to be one of {columns}. Received: {sort!r}.")
    rows = [
        row
        for row in ARCHITECTURES.values()
        if max_size_mb is None
        or (row.size_mb is not None and row.size_mb <= max_size_mb)
    ]
    rows.sort(key=lambda row: row.name)
    known = [row for row in rows if getattr(row, sort) is not None]
    unknown = [row for row in rows if getattr(row, sort) is None]
    highest_first = sort in ("depth", "top1", "top5")
    known.sort(key=lambda row: getattr(row, sort), reverse=highest_first)
    return known + unknown
