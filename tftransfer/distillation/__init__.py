"""Small models taught by large ones."""

from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.self_distiller import SelfDistiller
