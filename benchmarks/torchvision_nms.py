"""Lets facenet-pytorch run where torchvision's compiled part does not fit torch.

torchvision of PyPI is compiled for CUDA and does not load beside a torch without it.
Of that part facenet-pytorch needs `nms` alone: the same greedy loop over boxes, in C++.
"""

import sys

from extraction import declare_torchvision

_SOURCE = """
#include <algorithm>
#include <vector>
torch::Tensor nms(torch::Tensor boxes, torch::Tensor scores, double threshold) {
  auto columns = boxes.to(torch::kFloat).t().contiguous();
  auto order = std::get<1>(scores.sort(true, 0, true)).contiguous();
  const int64_t n = boxes.size(0);
  const float *left = columns.data_ptr<float>(), *top = left + n;
  const float *right = top + n, *bottom = right + n;
  const int64_t *at = order.data_ptr<int64_t>();
  std::vector<bool> gone(n, false);
  std::vector<int64_t> kept;
  for (int64_t a = 0; a < n; ++a) {
    const int64_t i = at[a];
    if (gone[i]) continue;
    kept.push_back(i);
    const float area = (right[i] - left[i]) * (bottom[i] - top[i]);
    for (int64_t b = a + 1; b < n; ++b) {
      const int64_t j = at[b];
      if (gone[j]) continue;
      const float w = std::min(right[i], right[j]) - std::max(left[i], left[j]);
      const float h = std::min(bottom[i], bottom[j]) - std::max(top[i], top[j]);
      const float shared = std::max(w, 0.f) * std::max(h, 0.f);
      const float other = (right[j] - left[j]) * (bottom[j] - top[j]);
      if (shared / (area + other - shared) > threshold) gone[j] = true;
    }
  }
  return torch::tensor(kept, torch::kLong);
}
"""


def facenet_mtcnn() -> type:
    """Return facenet-pytorch's MTCNN.

    Raises:
        ImportError: When facenet-pytorch or torch is not installed.
    """
    import torch

    if not _loads():
        _compile(torch)
    from facenet_pytorch import MTCNN

    return MTCNN


def _loads() -> bool:
    try:
        import torchvision.extension

        return torchvision.extension._has_ops()
    except RuntimeError:  # torchvision::nms does not exist
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        return False


def _compile(torch) -> None:
    from torch.utils.cpp_extension import load_inline

    library = declare_torchvision()
    compiled = load_inline("torchvision_nms", _SOURCE, functions=["nms"])
    library.impl("nms", compiled.nms, "CPU")
    import torchvision.extension

    torchvision.extension._has_ops = lambda: True
