"""Small models taught by large ones."""

from tftransfer.distillation.class_bias import match_class_prior
from tftransfer.distillation.distiller import Distiller
