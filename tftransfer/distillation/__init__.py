"""Small models taught by large ones."""

from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.plan import DistillPlan
from tftransfer.distillation.recipe import distill
from tftransfer.distillation.recipe import train_plain
