"""Which layer ends each stage of each architecture: an explicit, tested table.

`stageK` has stride 2^K: the last activation or merge (sum, concatenation) at that
resolution that carries the whole signal, never a padding, a squeeze-and-excitation
gate or a bare convolution. It cannot be inferred: "the last layer per resolution" picks
just those. A stage that a net does not have is absent: ConvNeXt starts at stride 4, and
ResNetV2 has nothing but a bare convolution at stride 2.

Names such as "activation_17" are numbered by Keras; `applications.py` builds each net
so that they are the same in every session.
"""

_STAGES = ("stage1", "stage2", "stage3", "stage4", "stage5")


def _stages(*layers: str) -> dict[str, str]:
    return dict(zip(_STAGES[-len(layers) :], layers))


def _convnext(last_of_stage3: int) -> dict[str, str]:
    return _stages("add_2", "add_5", f"add_{last_of_stage3}", "layer_normalization")


_VGG = _stages(*(f"block{k}_pool" for k in range(1, 6)))
_DENSENET = _stages("conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu")
_EFFICIENTNET = _stages(
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)


def _resnet(blocks3: int, blocks4: int) -> dict[str, str]:
    return _stages(
        "conv1_relu",
        "conv2_block3_out",
        f"conv3_block{blocks3}_out",
        f"conv4_block{blocks4}_out",
        "conv5_block3_out",
    )


def _resnet_v2(blocks3: int, blocks4: int) -> dict[str, str]:
    # The last block of a stage strides: its pre-activation is the stage's last signal.
    return _stages(
        "conv2_block3_preact_relu",
        f"conv3_block{blocks3}_preact_relu",
        f"conv4_block{blocks4}_preact_relu",
        "post_relu",
    )


def _efficientnet_v2(stage1: str, stage2: str) -> dict[str, str]:
    return _stages(
        stage1,
        stage2,
        "block4a_expand_activation",
        "block6a_expand_activation",
        "top_activation",
    )


ENDPOINTS = {
    "xception": _stages(
        "block1_conv2_act", "add", "add_1", "add_10", "block14_sepconv2_act"
    ),
    "vgg16": _VGG,
    "vgg19": _VGG,
    "resnet50": _resnet(4, 6),
    "resnet101": _resnet(4, 23),
    "resnet152": _resnet(8, 36),
    "resnet50v2": _resnet_v2(4, 6),
    "resnet101v2": _resnet_v2(4, 23),
    "resnet152v2": _resnet_v2(8, 36),
    "inceptionv3": _stages(
        "activation_2", "activation_4", "mixed2", "mixed7", "mixed10"
    ),
    "inceptionresnetv2": _stages(
        "activation_2", "activation_4", "block35_10_ac", "block17_20_ac", "conv_7b_ac"
    ),
    "mobilenet": _stages(*(f"conv_pw_{k}_relu" for k in (1, 3, 5, 11, 13))),
    "mobilenetv2": _stages(
        "block_1_expand_relu",
        "block_3_expand_relu",
        "block_6_expand_relu",
        "block_13_expand_relu",
        "out_relu",
    ),
    "mobilenetv3small": _stages(
        "activation", "re_lu_2", "activation_1", "activation_11", "activation_17"
    ),
    "mobilenetv3large": _stages(
        "re_lu_1", "re_lu_5", "activation_1", "activation_13", "activation_19"
    ),
    "mobilenetv3small_minimalistic": _stages(
        "re_lu", "re_lu_2", "re_lu_6", "re_lu_16", "re_lu_22"
    ),
    "mobilenetv3large_minimalistic": _stages(
        "re_lu_2", "re_lu_6", "re_lu_12", "re_lu_24", "re_lu_30"
    ),
    "densenet121": _DENSENET,
    "densenet169": _DENSENET,
    "densenet201": _DENSENET,
    "nasnetmobile": _stages(
        "adjust_relu_1_stem_2",
        "reduction_concat_stem_1",
        "normal_concat_3",
        "normal_concat_8",
        "activation_187",
    ),
    "nasnetlarge": _stages(
        "adjust_relu_1_stem_2",
        "reduction_concat_stem_1",
        "normal_concat_5",
        "normal_concat_12",
        "activation_259",
    ),
    **{f"efficientnetb{k}": _EFFICIENTNET for k in range(8)},
    "efficientnetv2b0": _efficientnet_v2("block1a_project_activation", "block2b_add"),
    "efficientnetv2b1": _efficientnet_v2("block1b_add", "block2c_add"),
    "efficientnetv2b2": _efficientnet_v2("block1b_add", "block2c_add"),
    "efficientnetv2b3": _efficientnet_v2("block1b_add", "block2c_add"),
    "efficientnetv2s": _efficientnet_v2("block1b_add", "block2d_add"),
    "efficientnetv2m": _efficientnet_v2("block1c_add", "block2e_add"),
    "efficientnetv2l": _efficientnet_v2("block1d_add", "block2g_add"),
    "convnexttiny": _convnext(14),
    "convnextsmall": _convnext(32),
    "convnextbase": _convnext(32),
    "convnextlarge": _convnext(32),
    "convnextxlarge": _convnext(32),
    "tiny": {
        "stage1": "stage1_out",
        "stage2": "stage2_out",
        "stage3": "stage3_out",
    },
}


def stage_layers(architecture: str, options: dict) -> dict[str, str]:
    """Return {endpoint: layer name} of an architecture built with `options`.

    Args:
        architecture: Name as in the catalogue.
        options: The architecture's own options; `minimalistic` changes the layers.

    Returns:
        Dict in order of the stages.

    Example:
        >>> stage_layers("resnet50", {})["stage5"]
        'conv5_block3_out'
    """
    suffix = "_minimalistic" if options.get("minimalistic") else ""
    return dict(ENDPOINTS[architecture + suffix])
