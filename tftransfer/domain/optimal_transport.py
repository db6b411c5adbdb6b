"""OptimalTransport: the source moved onto the target, through the library POT."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from tftransfer.domain.adapter import DomainAdapter
from tftransfer.domain.inputs import check_count
from tftransfer.domain.inputs import check_real

_TOLERANCE = 1e-6  # of the marginals; POT's 1e-8 ends in warnings on real data


class OptimalTransport(OneToOneFeatureMixin, DomainAdapter):
    """Source rows moved to the barycentre of the target rows their mass goes to.

    The plan T minimises sum T_ij C_ij + `regularization` sum T_ij log T_ij +
    `class_regularization` sum over j and classes c of ||T_(c, j)||^(1/2), with the
    squared distances C over their median and uniform masses. Row i becomes sum_j T_ij
    z_j / sum_j T_ij; rows not seen in `fit` move as their nearest source row does.
    Target rows stay. The plan is n x m: for some thousand rows of each.

    Args:
        regularization: Of the entropy, 0 or more; 0 is the exact plan. In units of the
            median cost.
        class_regularization: Of plans that send two classes to one target row, 0 or
            more; above 0 it needs `y` and `regularization` above 0.
        max_iter: Most iterations of the solver, 1 or more.

    Attributes:
        transport_: POT's fitted object; `transport_.coupling_` is T, `(n, m)`.

    Raises:
        ImportError: In `fit`, when POT is not installed.
        ValueError: In `fit`, when `class_regularization` is above 0 without `y`, or the
            plan found has rows without mass.

    Example:
        >>> X, X_target = np.eye(2), np.eye(2) + 5
        >>> model = OptimalTransport(0.0)
        >>> model.fit_transform(X, X_target=X_target)  # doctest: +SKIP
        array([[6., 5.],
               [5., 6.]])

    References:
        Courty, Flamary, Tuia and Rakotomamonjy, Optimal transport for domain
        adaptation, IEEE TPAMI 39(9), 2017, arXiv:1507.00504. Flamary et al., POT:
        Python optimal transport, JMLR 22, 2021.
    """

    def __init__(self, regularization=0.1, *, class_regularization=0.0, max_iter=1000):
        self.regularization = regularization
        self.class_regularization = class_regularization
        self.max_iter = max_iter

    def _fit(self, X, y, X_target) -> None:
        solver = self._solver(y)
        labels = None
        if self.class_regularization:
            labels = np.unique(y, return_inverse=True)[1]
        # In double: POT's iterations underflow in float32.
        rows = X.astype(np.float64), X_target.astype(np.float64)
        solver.fit(Xs=rows[0], ys=labels, Xt=rows[1])
        self._check_plan(solver.coupling_)
        self.transport_ = solver

    def _check_plan(self, plan: np.ndarray) -> None:
        """Raise where POT's iterations underflowed: it would map such rows to 0."""
        lost = int(np.sum(~(plan.sum(axis=1) > 0)))  # NaN, too
        if lost:
            raise ValueError(
                "Expected a plan that gives each source row mass. Received: none for "
                f"{lost} of {len(plan)} rows, with regularization="
                f"{self.regularization}. Raise it; where it is 0.1 or more, look for "
                "domains most of whose rows are equal."
            )

    def _solver(self, y):
        entropy = check_real("regularization", self.regularization)
        classes = check_real("class_regularization", self.class_regularization)
        check_count("max_iter", self.max_iter)
        if classes and (y is None or not entropy):
            raise ValueError(
                "Expected `y` and `regularization` above 0 for `class_regularization`."
                f" Received: y {'absent' if y is None else 'present'}, regularization "
                f"{entropy}. Use `class_regularization=0` for the plan without labels."
            )
        da = _import_pot().da
        if classes:
            return da.SinkhornLpl1Transport(
                reg_e=entropy,
                reg_cl=classes,
                max_inner_iter=self.max_iter,
                tol=_TOLERANCE,
                norm="median",
            )
        if entropy:
            # In logarithms: the plain iterations overflow for small entropies.
            return da.SinkhornTransport(
                reg_e=entropy,
                method="sinkhorn_log",
                tol=_TOLERANCE,
                max_iter=self.max_iter,
                norm="median",
                # Its other one divides by kernel values, which are 0 for far rows.
                out_of_sample_map="ferradans",
            )
        return da.EMDTransport(norm="median", max_iter=100 * self.max_iter)

    def _map(self, X, domain) -> np.ndarray:
        if domain == "target":
            return X.copy()
        moved = self.transport_.transform(Xs=X.astype(np.float64))
        return np.asarray(moved, X.dtype)


def _import_pot():
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            "OptimalTransport needs the library POT, which is not installed. "
            "Run: pip install 'tftransfer[ot]'."
        ) from error
    return ot
