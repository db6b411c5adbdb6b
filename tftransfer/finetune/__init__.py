"""Fine-tuning: classifier, freezing, rates per layer, recipe, rate finder."""

from tftransfer.finetune.classifier import Classifier
from tftransfer.finetune.freezing import discriminative_rates
from tftransfer.finetune.freezing import freeze_until
from tftransfer.finetune.freezing import set_trainable
from tftransfer.finetune.lr_finder import LRFinderResult
from tftransfer.finetune.lr_finder import lr_find
from tftransfer.finetune.plan import Plan
from tftransfer.finetune.recipe import fine_tune
from tftransfer.finetune.scratch import scratch_classifier
from tftransfer.finetune.split import split
from tftransfer.training.metrics import LabelAccuracy
from tftransfer.training.optimizers import SGD
from tftransfer.training.optimizers import Adam
from tftransfer.training.optimizers import AdamW
from tftransfer.training.schedule import OneCycle
