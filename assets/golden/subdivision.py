"""Dual subdivisions by qhull (scipy.spatial.ConvexHull): the polynomials of figure 1 of arXiv 2002.08838 and random ones.

Run: python subdivision.py > subdivision.json
"""

import json

import numpy as np
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
    # A monomial has a region iff the dual points at which it attains the maximum, with the directions in which it goes on
    # doing so, surround a point with inner room: ask the hull of the lifted points without it.
    regions = []
    for i in range(len(exponents)):
        others = np.delete(lifted, i, axis=0)
        if np.linalg.matrix_rank(others - others[0]) <= d:
            regions.append(i)
            continue
        equations = ConvexHull(others).equations
        if (equations @ np.append(lifted[i], 1.0)).max() > 1e-7:
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
