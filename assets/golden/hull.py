"""Convex hulls by qhull (scipy.spatial.ConvexHull) of random and degenerate points: vertices, facets, volume.

Run: python hull.py > hull.json
"""

import itertools
import json

import numpy as np
from scipy.spatial import ConvexHull

rng = np.random.default_rng(20)


def zonotope(generators, shift):
    signs = np.array(list(itertools.product([0, 1], repeat=len(generators))))
    return signs @ generators + shift


def case(name, points):
    hull = ConvexHull(points)
    # Facets are triangulated: one equation each, repeated for the simplices of a facet.
    facets = np.unique(np.round(hull.equations, 7), axis=0)
    # A simplex vertex inside a face of the hull is no vertex: it satisfies fewer than d independent equations.
    d = points.shape[1]
    vertices = []
    for v in hull.vertices:
        tight = facets[np.abs(facets[:, :-1] @ points[v] + facets[:, -1]) < 1e-6]
        if np.linalg.matrix_rank(tight[:, :-1], tol=1e-6) == d:
            vertices.append(int(v))
    return {
        "name": name,
        "points": points.tolist(),
        "vertices": sorted(vertices),
        "facets": len(facets),
        "volume": hull.volume,
    }


def dyadic(shape, scale=1.0):
    """Random values that are short in decimal and binary, to keep the file small and exact."""
    return np.round(rng.normal(size=shape) * 256 * scale) / 256


cases = [case(f"gaussian {d}-d", dyadic((n, d))) for d, n in [(2, 60), (3, 80), (4, 40), (5, 24)]]
grid = np.array(list(itertools.product(range(4), repeat=3)), dtype=float)
cases.append(case("grid 4 x 4 x 4", grid))
cases.append(case("cross polytope 5-d", np.concatenate([np.eye(5), -np.eye(5), np.zeros((1, 5))])))
cases.append(case("zonotope of 6 generators 3-d", zonotope(dyadic((6, 3)), dyadic(3))))
cases.append(case("zonotope of 7 generators 2-d", zonotope(dyadic((7, 2)), dyadic(2))))
two = [zonotope(dyadic((5, 3)), dyadic(3)), zonotope(dyadic((5, 3), 0.7), dyadic(3))]
cases.append(case("two zonotopes 3-d", np.concatenate(two)))
print(json.dumps({"cases": cases}))
