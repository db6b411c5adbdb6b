"""What compiled forms of a net share: one per picture dtype, renewed in time."""

import threading

from tftransfer.core.fingerprint import weights_digest


class NetFunction:
    """Base of `FrozenFunction` and `OpenVinoFunction`, which give `_compile(dtype)`.

    Args:
        net: Built Keras model, or what has its `input_shape`, `variables` and call: raw
            RGB [0, 255] `(batch, height, width, 3)` -> tensor or structure of tensors.
    """

    def __init__(self, net):
        self._net = net
        self._digest = None
        self._compiled = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Forget what was compiled when a weight has changed since."""
        digest = weights_digest(self._net)
        with self._lock:
            if digest != self._digest:
                self._digest, self._compiled = digest, {}

    def _of(self, dtype):
        """Return what was compiled for pictures of `dtype`, compiled now if need be."""
        with self._lock:
            if self._digest is None:
                self._digest = weights_digest(self._net)
            if dtype not in self._compiled:
                self._compiled[dtype] = self._compile(dtype)
            return self._compiled[dtype]
