"""Small models taught by large ones."""

from tftransfer.distillation.born_again import born_again
from tftransfer.distillation.cached_teacher import cache_teacher
from tftransfer.distillation.class_bias import match_class_prior
from tftransfer.distillation.class_soft_labels import class_soft_labels
from tftransfer.distillation.class_soft_labels import map_classes
from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.generations import BornAgain
from tftransfer.distillation.plan import DistillPlan
from tftransfer.distillation.recipe import distill
from tftransfer.distillation.recipe import train_plain
from tftransfer.distillation.self_distiller import SelfDistiller
