"""Small models taught by large ones."""

from tftransfer.distillation.cached_teacher import cache_teacher
from tftransfer.distillation.distiller import Distiller
