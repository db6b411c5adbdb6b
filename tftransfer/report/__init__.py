"""Reports: numbers, pictures, one self-contained HTML file, and a model card."""

from tftransfer.report.attention import attention_maps
from tftransfer.report.environment import environment
from tftransfer.report.evaluate import evaluate_classifier
from tftransfer.report.evaluation import Evaluation
from tftransfer.report.html import write_report
from tftransfer.report.metrics import calibration
from tftransfer.report.metrics import wilson_interval
from tftransfer.report.mistakes import Mistake
from tftransfer.report.model_card import write_model_card
from tftransfer.report.restyling import write_restyling_report
