"""Training on several devices and machines: `tf.distribute`, chosen and started.

Names load on first use: `launch_local` and `set_cluster` do without TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "WorkerLostError": "tftransfer.core.workers",
    "gather_replicas": "tftransfer.core.gathering",
    "is_chief": "tftransfer.core.workers",
    "launch_local": "tftransfer.distribute.launching",
    "set_cluster": "tftransfer.distribute.cluster",
    "strategy": "tftransfer.distribute.choosing",
}

__all__ = list(_PUBLIC)

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
