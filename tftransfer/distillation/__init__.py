"""Small models taught by large ones."""

from tftransfer.distillation.distiller import Distiller
