"""Small models taught by large ones."""

from tftransfer.distillation.cached_teacher import cache_teacher
from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.plan import DistillPlan
from tftransfer.distillation.recipe import distill
from tftransfer.distillation.recipe import train_plain
