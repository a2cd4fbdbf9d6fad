"""Greedy selection of blocks of columns and the joint refit, by brute force in float64: writes block_greedy.json.

An independent witness: every candidate's loss comes from a solve of its own,

    E |z|^2 - tr(T_S (G_SS + d I)^-1 T_S'),   d = eps tr(G) / (n q),

and the refit is T_S (G_SS + eps tr(G_SS) / (K q) I)^-1.

    pip install numpy && python block_greedy.py
"""

import json
import pathlib

import numpy

EPSILON = 1e-3
cases = []
for seed, (n, q, m, rows) in enumerate([(6, 3, 4, 60), (9, 1, 5, 40), (4, 4, 7, 200)]):
    random = numpy.random.default_rng(seed)
    p = numpy.maximum(random.normal(size=(rows, n * q)) @ random.normal(size=(n * q, n * q)), 0)
    p[:, -q:] = 2 * p[:, :q]  # the last block is a copy of the first
    z = p @ random.normal(size=(n * q, m)) + 0.1 * random.normal(size=(rows, m))
    p, z = p - p.mean(axis=0), z - z.mean(axis=0)
    gram, target = p.T @ p / rows, z.T @ p / rows
    ridge = EPSILON * numpy.trace(gram) / (n * q)

    def explained(units, ridge):
        columns = [unit * q + a for unit in units for a in range(q)]
        inverse = numpy.linalg.inv(gram[numpy.ix_(columns, columns)] + ridge * numpy.eye(len(columns)))
        return numpy.trace(target[:, columns] @ inverse @ target[:, columns].T)

    order, decreases = [], []
    for _ in range(n - 1):
        before = explained(order, ridge) if order else 0.0
        gains = [explained(order + [unit], ridge) - before if unit not in order else -1.0 for unit in range(n)]
        best = int(numpy.argmax(gains))
        order.append(best)
        decreases.append(gains[best])
    kept = sorted(order[: n // 2])
    columns = [unit * q + a for unit in kept for a in range(q)]
    small = gram[numpy.ix_(columns, columns)]
    shift = EPSILON * numpy.trace(small) / len(columns)
    refit = target[:, columns] @ numpy.linalg.inv(small + shift * numpy.eye(len(columns)))
    cases.append(
        {
            "q": q,
            "gram": gram.tolist(),
            "target": target.tolist(),
            "order": order,
            "decreases": decreases,
            "kept": kept,
            "refit": refit.tolist(),
            "variance": float((z**2).sum() / rows),
            "loss": float(((z - p[:, columns] @ refit.T) ** 2).sum() / rows),
        }
    )
text = {"epsilon": EPSILON, "cases": cases}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(text) + "\n")
