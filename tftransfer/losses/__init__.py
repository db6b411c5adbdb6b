"""Losses that can be called with no method around them."""

from tftransfer.losses.arcface import ArcFaceLoss
from tftransfer.losses.attention_transfer import AttentionTransferLoss
from tftransfer.losses.class_balance import ClassBalanceLoss
from tftransfer.losses.class_soft_label import ClassSoftLabelLoss
from tftransfer.losses.classification import ClassificationLoss
from tftransfer.losses.classifier_discrepancy import ClassifierDiscrepancyLoss
from tftransfer.losses.contrastive import ContrastiveRepresentationLoss
from tftransfer.losses.contrastive_pairs import ContrastiveLoss
from tftransfer.losses.decoupled import DecoupledKDLoss
from tftransfer.losses.discrepancy import CORALLoss
from tftransfer.losses.discrepancy import JointMMDLoss
from tftransfer.losses.discrepancy import MMDLoss
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.domain_confusion import ConfusionLoss
from tftransfer.losses.domain_confusion import DomainLoss
from tftransfer.losses.domain_confusion import domain_accuracy
from tftransfer.losses.flow import FlowLoss
from tftransfer.losses.hint import HintLoss
from tftransfer.losses.jacobian import JacobianMatchingLoss
from tftransfer.losses.lifted_structure import LiftedStructureLoss
from tftransfer.losses.n_pairs import NPairsLoss
from tftransfer.losses.penalties import L2SPLoss
from tftransfer.losses.relational import RelationalLoss
from tftransfer.losses.soft_target import SoftTargetLoss
from tftransfer.losses.triplet import TripletHardLoss
from tftransfer.losses.triplet import TripletSemiHardLoss
