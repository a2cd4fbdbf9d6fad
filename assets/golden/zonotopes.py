"""Vertices of small zonotopes by the convex hull of all subset sums (scipy's Qhull), for `zonotopes.json`.

`python3 zonotopes.py > zonotopes.json`. Entries are multiples of 1/64, so that sums are exact. Points that Qhull lists and
that are not extreme (its facets may be merged) are left out by a linear program each; volumes and areas are Qhull's.
"""

import itertools
import json

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

rng = np.random.default_rng(20)


def extreme(points, at):
    """Whether no convex combination of the other points is points[at]."""
    others = np.delete(points, at, 0)
    equal = np.vstack([others.T, np.ones(len(others))])
    answer = linprog(np.zeros(len(others)), A_eq=equal, b_eq=np.append(points[at], 1), bounds=(0, None), method="highs")
    return answer.status == 2


def case(name, generators, shift, axes=None):
    """`axes`: coordinates in which a zonotope of lower dimension is a body."""
    g, shift = np.asarray(generators, float), np.asarray(shift, float)
    sums = np.unique([shift + np.array(s) @ g for s in itertools.product((0, 1), repeat=len(g))], axis=0)
    axes = list(range(g.shape[1])) if axes is None else axes
    hull = ConvexHull(sums[:, axes])
    points = sums[hull.vertices]
    vertices = points[[extreme(points[:, axes], at) for at in range(len(points))]]
    order = np.lexsort(vertices.T[::-1])
    full = len(axes) == g.shape[1]
    return {
        "name": name,
        "generators": g.tolist(),
        "shift": shift.tolist(),
        "vertices": vertices[order].tolist(),
        "volume": hull.volume if full else 0.0,
    }


def fine(p, d):
    return np.round(rng.uniform(-1, 1, (p, d)) * 64) / 64


def lattice(p, d):
    return rng.integers(-1, 2, (p, d))


cases = [
    case("plane", fine(9, 2), fine(1, 2)[0]),
    case("space", fine(9, 3), fine(1, 3)[0]),
    case("dimension 4", fine(8, 4), fine(1, 4)[0]),
    case("dimension 5", fine(7, 5), fine(1, 5)[0]),
    case("as many generators as dimensions", fine(4, 4), fine(1, 4)[0]),
    case("lattice, plane", lattice(8, 2), [0, 0]),
    case("lattice, space", lattice(9, 3), [1, 0, -1]),
    case("lattice, dimension 4", lattice(9, 4), [0, 0, 0, 0]),
    case("lattice, dimension 5", lattice(9, 5), [0] * 5),
    case("in a plane of space", np.hstack([(a := fine(7, 2)), a[:, :1] + a[:, 1:]]), [0, 0, 1], [0, 1]),
]
print(json.dumps({"cases": cases}, separators=(",", ":")))
