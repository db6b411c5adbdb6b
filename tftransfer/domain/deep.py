"""The methods on networks; importing this registers them for loading. TensorFlow."""

from tftransfer.domain.adda import ADDA
from tftransfer.domain.alignment import DAN
from tftransfer.domain.alignment import JAN
from tftransfer.domain.alignment import DeepCORAL
from tftransfer.domain.cdan import CDAN
from tftransfer.domain.confusion import DomainConfusion
from tftransfer.domain.dann import DANN
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.drcn import DRCN
from tftransfer.domain.drcn import ImpulseNoise
from tftransfer.domain.mcd import MCD
from tftransfer.domain.restyler import Restyler
from tftransfer.domain.restyler_nets import encoder_decoder
from tftransfer.domain.restyler_nets import patch_discriminator

__all__ = [
    "ADDA",
    "CDAN",
    "DAN",
    "DANN",
    "DRCN",
    "JAN",
    "MCD",
    "DeepCORAL",
    "DomainConfusion",
    "DomainModel",
    "ImpulseNoise",
    "Restyler",
    "encoder_decoder",
    "patch_discriminator",
]
