"""Mean and deviation of inputs from the hyperplanes of a layer, in float64: writes arrangement.json.

An independent witness: the point is the solution of one stacked least-squares problem, and each hyperplane's distance is
measured from the point of all others, each solved by itself.

    pip install numpy && python arrangement.py
"""

import json
import pathlib

import numpy


def arrangement(rows, bias):
    live = (rows != 0).any(axis=0)
    unit = numpy.zeros(rows.shape[1])
    unit[live] = 1 / numpy.sqrt((rows[:, live] ** 2).mean(axis=0))
    scaled = rows * unit
    lengths = numpy.linalg.norm(scaled, axis=1)
    planes, offsets = scaled[lengths > 0] / lengths[lengths > 0, None], -bias[lengths > 0] / lengths[lengths > 0]
    m, d = len(planes), int(live.sum())
    ridge = (1e-9 if m >= 2 * d else 1e-2) * m / max(d, 1)

    def point(planes, offsets):
        stacked = numpy.vstack([planes, numpy.sqrt(ridge) * numpy.eye(planes.shape[1])])
        target = numpy.concatenate([offsets, numpy.zeros(planes.shape[1])])
        return numpy.linalg.lstsq(stacked, target, rcond=None)[0]

    others = [numpy.arange(m) != i for i in range(m)]
    distances = [abs(offsets[i] - planes[i] @ point(planes[rest], offsets[rest])) for i, rest in enumerate(others)]
    middle = numpy.median(distances) if m else 0.0
    sigma = middle / 0.6745 if m and middle > 1e-6 * abs(offsets).max() else 1.0
    return unit * point(planes, offsets), min(4, numpy.sqrt(d)) * sigma * unit


cases = []
for seed, (name, m, d) in enumerate(
    [
        ("far from the origin, in units of its own", 40, 3),
        ("as many coordinates as take the largest factor", 50, 20),
        ("fewer hyperplanes than fix a point", 7, 12),
        ("an input that no unit reads, and a unit that reads none", 20, 4),
        ("one hyperplane", 1, 3),
        ("two inputs that are read alike", 30, 3),
        ("no biases", 12, 2),
        ("nothing is read", 3, 2),
    ]
):
    random = numpy.random.default_rng(seed)
    scale, centre = 10.0 ** random.uniform(-3, 3, d), 50 * random.normal(size=d)
    rows = random.normal(size=(m, d))
    bias = 0.3 * random.normal(size=m) - rows @ centre
    rows = rows / scale  # z = A ((x / scale) - centre) + noise
    if name.startswith("an input"):
        rows[:, 1] = 0
        rows[4] = 0
    if name.startswith("two inputs"):
        rows[:, 2] = 2 * rows[:, 0]
    if name == "no biases":
        bias[:] = 0
    if name == "nothing is read":
        rows[:] = 0
    mean, deviation = arrangement(rows, bias)
    cases.append(
        {
            "name": name,
            "rows": rows.tolist(),
            "bias": bias.tolist(),
            "mean": mean.tolist(),
            "deviation": deviation.tolist(),
        }
    )
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps({"cases": cases}) + "\n")
