"""Training on several devices and machines: `tf.distribute`, chosen and started."""

from tftransfer.core.workers import WorkerLostError
from tftransfer.core.workers import is_chief
from tftransfer.distribute.choosing import strategy
from tftransfer.distribute.cluster import set_cluster
