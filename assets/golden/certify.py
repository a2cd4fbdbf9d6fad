"""Solves the programs behind the certificates with generic solvers and writes certify.json.

An independent witness of `certify::absolute_sum_bound`, `certify::layer_bound` and `certify::largest_eigenvalue_bound`:

    sums:        the semidefinite relaxation of  sup_(|u| <= 1) sum_i |v_i u + b_i|  (cvxpy), and the supremum itself, by all
                 signs
    crown:       the smallest linear upper bound of  +-D_j  over all slopes in 0..1  (cvxpy), for each output
    half:        1/2 (nu(l_j) + sum_i |c_ji| nu(e_i) + sum_k |tau_jk| nu(w~_k))  for the pairing that is given (numpy)
    eigenvalues: numpy.linalg.eigvalsh

    pip install numpy cvxpy && python certify.py
"""

import itertools
import json
import pathlib

import cvxpy
import numpy


def solve(objective, constraints, solver, **options):
    problem = cvxpy.Problem(objective, constraints)
    problem.solve(solver=solver, **options)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return float(problem.value)


def relaxation(v, b):
    n = len(v)
    x = cvxpy.Variable((n + 1, n + 1), PSD=True)
    length = cvxpy.sqrt(cvxpy.sum(cvxpy.multiply(v @ v.T, x[1:, 1:])))
    return solve(cvxpy.Maximize(length + b @ x[0, 1:]), [cvxpy.diag(x) == 1], cvxpy.CLARABEL)


def supremum(v, b):
    signs = numpy.array(list(itertools.product([-1.0, 1.0], repeat=len(v))))
    return float((numpy.linalg.norm(signs @ v, axis=1) + signs @ b).max())


def sums(generator):
    for name, n, d, offsets in [("without offsets", 9, 3, 0.0), ("offsets", 12, 4, 0.5), ("large offsets", 7, 2, 3.0)]:
        v = generator.normal(size=(n, d))
        b = offsets * generator.normal(size=n)
        relaxed, exact = relaxation(v, b), supremum(v, b)
        assert exact <= relaxed * (1 + 1e-6) <= exact * numpy.sqrt(numpy.pi / 2) * (1 + 1e-5), (exact, relaxed)
        yield dict(name=name, rows=v.tolist(), offsets=b.tolist(), relaxation=relaxed, supremum=exact)


def crown(w, b, c, radius, constant):
    """The smallest upper bound of c relu(w x + b) + constant on the ball."""
    reach = radius * numpy.linalg.norm(w, axis=1)
    low, high = b - reach, b + reach
    alpha = cvxpy.Variable(len(b))
    slope, offset = [], []
    for i in range(len(b)):
        if low[i] >= 0 or high[i] <= 0:
            slope.append(float(low[i] >= 0))
            offset.append(0.0)
        elif c[i] > 0:
            slope.append(high[i] / (high[i] - low[i]))
            offset.append(-c[i] * slope[-1] * low[i])
        else:
            slope.append(alpha[i])
            offset.append(0.0)
    v = sum(c[i] * slope[i] * w[i] for i in range(len(b)))
    rest = sum(c[i] * slope[i] * b[i] + offset[i] for i in range(len(b))) + constant
    return solve(cvxpy.Minimize(radius * cvxpy.norm(v) + rest), [alpha >= 0, alpha <= 1], cvxpy.CLARABEL)


def blocks(generator):
    for name, d, n, m, k, radius in [("clusters", 4, 10, 3, 5, 2.0), ("few left", 3, 12, 2, 2, 1.0)]:
        w, b = generator.normal(size=(n, d)), 0.5 * generator.normal(size=n)
        c, beta = generator.normal(size=(m, n)), generator.normal(size=m)
        partner = numpy.arange(n) % k
        scale = generator.uniform(0.5, 1.5, size=n)
        share = numpy.array([scale[partner == q] @ scale[partner == q] for q in range(k)])
        merge = (partner[None, :] == numpy.arange(k)[:, None]) * scale / share[:, None]
        other_w, other_b = merge @ w, merge @ b
        other_c = numpy.stack([c[:, partner == q] @ scale[partner == q] for q in range(k)], axis=1)
        other_c += 0.1 * generator.normal(size=(m, k))
        other_beta = beta + 0.05
        both_w, both_b = numpy.vstack([w, other_w]), numpy.concatenate([b, other_b])
        both_c = numpy.hstack([c, -other_c])
        nu = lambda a, s: radius * numpy.linalg.norm(a, axis=-1) + numpy.abs(s)
        e, e_b = w - scale[:, None] * other_w[partner], b - scale * other_b[partner]
        tau = other_c - numpy.stack([c[:, partner == q] @ scale[partner == q] for q in range(k)], axis=1)
        trend = nu(both_c @ both_w, both_c @ both_b + 2 * (beta - other_beta))
        half = 0.5 * (trend + numpy.abs(c) @ nu(e, e_b) + numpy.abs(tau) @ nu(other_w, other_b))
        found = []
        for j in range(m):
            gap = beta[j] - other_beta[j]
            found.append(max(crown(both_w, both_b, s * both_c[j], radius, s * gap) for s in (1.0, -1.0)))
        pair = lambda *arrays: [a.tolist() for a in arrays]
        yield dict(name=name, radius=radius, original=pair(w, b, c, beta), compressed=pair(other_w, other_b, other_c, other_beta),
                   partner=partner.tolist(), scale=scale.tolist(), half=half.tolist(), crown=found)


def eigenvalues(generator):
    for n in [1, 2, 7, 40]:
        m = generator.normal(size=(n, n))
        m = m + m.T
        yield dict(rows=m.tolist(), largest=float(numpy.linalg.eigvalsh(m)[-1]))


def main():
    generator = numpy.random.default_rng(11)
    values = dict(sums=list(sums(generator)), blocks=list(blocks(generator)), eigenvalues=list(eigenvalues(generator)))
    target = pathlib.Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
