"""Dual subdivisions of the polynomials of figure 1 of arXiv 2002.08838 and of random ones: vertices of the hypersurface by
qhull (scipy.spatial.ConvexHull), regions by HiGHS (scipy.optimize.linprog).

Run: python subdivision.py > subdivision.json
"""

import json

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

rng = np.random.default_rng(7)


def case(name, exponents, coefficients):
    exponents = np.asarray(exponents, dtype=float)
    coefficients = np.asarray(coefficients, dtype=float)
    d = exponents.shape[1]
    # A point far below makes a flat lift full-dimensional and is on no upper facet.
    below = np.append(exponents.mean(axis=0), coefficients.min() - 100.0)
    lifted = np.vstack([np.column_stack([exponents, coefficients]), below])
    hull = ConvexHull(lifted)
    upper = hull.equations[hull.equations[:, d] > 1e-9]
    # The facet n . (a, c) = h is where the monomials attain the maximum at x = n' / n_last.
    duals = np.unique(np.round(upper[:, :d] / upper[:, d : d + 1], 8) + 0.0, axis=0)
    values = duals @ exponents.T + coefficients
    attained = values >= values.max(axis=1, keepdims=True) - 1e-7
    # A monomial has a region iff it lies above what the others reach at its exponent: a linear program over their convex
    # combinations, infeasible where the exponent is a vertex of the Newton polytope.
    regions = []
    for i in range(len(exponents)):
        others = np.arange(len(exponents)) != i
        equal = np.vstack([exponents[others].T, np.ones(others.sum())])
        best = linprog(-coefficients[others], A_eq=equal, b_eq=np.append(exponents[i], 1.0))
        if best.status == 2 or coefficients[i] > -best.fun + 1e-9:
            regions.append(i)
    return {
        "name": name,
        "exponents": exponents.tolist(),
        "coefficients": coefficients.tolist(),
        "regions": regions,
        "duals": duals.tolist(),
        "ties": [sorted(np.flatnonzero(row).tolist()) for row in attained],
    }


cubic = [(i, j) for i in range(4) for j in range(4 - i)]
cases = [
    case("figure 1, line", [(1, 0), (0, 1), (0, 0)], [0, 0, 0]),
    case("figure 1, quadric", [(2, 0), (0, 2), (1, 1), (1, 0), (0, 1), (0, 0)], [1, 1, 2, 2, 2, 2]),
    case("figure 1, cubic", cubic, [-(i * i + i * j + j * j) for i, j in cubic]),
]
for d in (1, 2, 3):
    for number in range(4):
        exponents = np.unique(rng.integers(0, 4, size=(14, d)), axis=0)
        cases.append(case(f"integers {d}-d {number}", exponents, rng.integers(-3, 4, size=len(exponents))))
        exponents = np.round(rng.normal(size=(12, d)) * 64) / 64
        cases.append(case(f"reals {d}-d {number}", exponents, np.round(rng.normal(size=12) * 64) / 64))
print(json.dumps({"cases": cases}))
