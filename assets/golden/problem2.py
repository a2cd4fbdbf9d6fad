"""Solves the half-steps of problem (2) with generic convex solvers and writes problem2.json.

An independent witness of `Backend::row_scores` and `Backend::row_update`: nothing here knows that rows stay parallel to
their generator, or any closed form. A row half-step minimises over all coordinates of the row, an element half-step over
all non-negative coefficients of the neuron:

    decoupled:  1/2 sum_j |b~_j+ a~ - b_j+ A|^2 + |b~_j- a~ - b_j- A|^2  +  lambda sum_j (b~_j+ + b~_j-) |a~|
    coupled:    1/2 sum_m |w~_m a~ - w_m A|^2  +  lambda sum_m w~_m |a~|,   w_m = b_m+ + sum_{l != m} b_l-

with A = (A_i, c_i). `cvxpy` (Clarabel, an interior-point method) solves each of them; `scipy` (BFGS
for rows, bounded least squares for elements) polishes what it finds, and the slope is asserted to vanish. Inputs are exact in f32, so that f32 backends read the same numbers.

    pip install numpy scipy cvxpy && python problem2.py
"""

import json
import pathlib

import cvxpy
import numpy
import scipy.optimize

TIGHT = dict(tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13, tol_ktratio=1e-9, max_iter=500)


def exact(values):
    """The nearest f32 numbers."""
    return numpy.asarray(values, dtype=numpy.float32).astype(numpy.float64)


def cost(row, coefficients, targets, generator, lam):
    """One neuron's share of the objective; `coefficients` and `targets` are non-negative."""
    gaps = numpy.outer(coefficients, row) - numpy.outer(targets, generator)
    return 0.5 * (gaps**2).sum() + lam * coefficients.sum() * numpy.linalg.norm(row)


def solve(variable, objective, constraints):
    problem = cvxpy.Problem(cvxpy.Minimize(objective), constraints)
    problem.solve(solver=cvxpy.CLARABEL, **TIGHT)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return numpy.asarray(variable.value, dtype=float)


def row_half_step(coefficients, targets, generator, lam):
    if not coefficients.any():
        return numpy.zeros_like(generator)  # every row is a minimiser: the contract takes zero
    row = cvxpy.Variable(len(generator))
    squares = [cvxpy.sum_squares(c * row - t * generator) for c, t in zip(coefficients, targets)]
    objective = 0.5 * sum(squares) + lam * coefficients.sum() * cvxpy.norm(row, 2)
    found = solve(row, objective, [])

    def value(a):
        return cost(a, coefficients, targets, generator, lam)

    if value(numpy.zeros_like(found)) <= value(found):
        return numpy.zeros_like(found)

    def slope(a):
        smooth = (coefficients**2).sum() * a - (coefficients @ targets) * generator
        return smooth + lam * coefficients.sum() * a / numpy.linalg.norm(a)

    polished = scipy.optimize.minimize(value, found, jac=slope, method="BFGS", options={"gtol": 1e-12}).x
    best = polished if value(polished) <= value(found) else found
    assert numpy.linalg.norm(slope(best)) < 1e-7 * (1 + numpy.linalg.norm(generator)), slope(best)
    return best


def element_half_step(row, targets, generator, lam):
    if not row.any():
        return numpy.zeros_like(targets)
    elements = cvxpy.Variable(len(targets), nonneg=True)
    squares = [cvxpy.sum_squares(elements[j] * row - t * generator) for j, t in enumerate(targets)]
    penalty = lam * numpy.linalg.norm(row) * cvxpy.sum(elements)
    found = solve(elements, 0.5 * sum(squares) + penalty, [])

    # An active-set method moves what the interior-point method leaves a hair above the bound onto it. The penalty l'c
    # enters least squares as a shift of the right-hand side: 1/2 |Mc - d|^2 + l'c = 1/2 |Mc - (d - v)|^2 + .., M'v = l.
    matrix = numpy.kron(numpy.eye(len(targets)), row[:, None])
    linear = numpy.full(len(targets), lam * numpy.linalg.norm(row))
    shift = numpy.linalg.lstsq(matrix.T, linear)[0]
    right = numpy.outer(targets, generator).ravel() - shift
    best = scipy.optimize.lsq_linear(matrix, right, bounds=(0, numpy.inf), method="bvls", tol=1e-15).x
    values = [cost(row, c, targets, generator, lam) for c in (best, found)]
    assert values[0] <= values[1] + 1e-12 and abs(values[0] - values[1]) < 1e-5 * (1 + values[1]), (best, found)

    def slope(c):
        return matrix.T @ (matrix @ c - numpy.outer(targets, generator).ravel()) + linear

    free = best > 0
    assert abs(slope(best)[free]).max(initial=0) < 1e-7 * (1 + row @ row) and (slope(best)[~free] > -1e-7).all()
    return best


def signed_element_half_step(row, coefficients, generator, lam):
    """The decoupled form keeps positive and negative parts apart; both are free to move."""
    parts = numpy.concatenate([numpy.maximum(coefficients, 0), numpy.maximum(-coefficients, 0)])
    found = element_half_step(row, parts, generator, lam)
    positive, negative = numpy.split(found, 2)
    assert not (positive * negative).any(), "supports of the two parts stay disjoint"
    return positive + negative


def case(name, random, k, p, n, lam, biased, coupled, first, count):
    rows = exact(random.normal(size=(p, n)) * random.uniform(0.2, 2.0, size=(p, 1)))
    constants = exact(random.normal(size=p)) if biased else None
    b = exact(random.normal(size=(k, p)) * (random.uniform(size=(k, p)) > 0.2))
    rows[1] = 0.0  # a generator of length zero, or of the constant alone
    b[:, 2] = 0.0  # a neuron that nobody reads
    lam = float(exact(lam))
    generators = rows if constants is None else numpy.column_stack([rows, constants])
    norms = numpy.linalg.norm(generators, axis=1)
    positive, negative = numpy.maximum(b, 0), numpy.maximum(-b, 0)
    weights = positive + negative.sum(axis=0) - negative
    targets = exact(weights) if coupled else abs(b)

    state_rows, state_elements = generators.copy(), targets.copy()
    shares = [[cost(state_rows[i], state_elements[:, i], targets[:, i], generators[i], lam) for i in range(p)]]
    steps = []
    for step in range(count):
        by_rows = (first == "rows") == (step % 2 == 0)
        for i in range(p):
            arguments = (targets[:, i], generators[i], lam)
            if not generators[i].any():
                state_rows[i] = 0.0
                state_elements[:, i] = state_elements[:, i] if by_rows else 0.0
            elif by_rows:
                state_rows[i] = row_half_step(state_elements[:, i], *arguments)
            elif coupled:
                state_elements[:, i] = element_half_step(state_rows[i], *arguments)
            else:
                state_elements[:, i] = signed_element_half_step(state_rows[i], b[:, i], generators[i], lam)
        shares.append([cost(state_rows[i], state_elements[:, i], targets[:, i], generators[i], lam) for i in range(p)])
        kind = "rows" if by_rows else "elements"
        steps.append({"step": kind, "rows": short(state_rows), "elements": short(state_elements)})

    size = abs(b).sum(axis=0)
    scores = numpy.divide(norms * (b**2).sum(axis=0), size, out=numpy.zeros(p), where=size > 0)
    return {
        "name": name,
        "lambda": lam,
        "first": first,
        "rows": rows.tolist(),
        "constants": None if constants is None else constants.tolist(),
        "coefficients": b.tolist(),
        "targets": targets.tolist(),
        "norms": short(norms),
        "row_scores": short(scores),
        "element_scores": short(abs(b) * norms),
        "objective": short(numpy.array(shares)),
        "steps": steps,
    }


def short(values):
    return numpy.vectorize(lambda v: float(f"{v:.11e}"))(values).tolist()


def main():
    random = numpy.random.default_rng(2002_08838)
    cases = [
        case("two classes, no constants, rows first", random, 2, 8, 4, 0.7, False, False, "rows", 4),
        case("two classes, constants, rows first", random, 2, 8, 4, 1.1, True, False, "rows", 2),
        case("four classes, constants, rows first", random, 4, 9, 5, 0.9, True, False, "rows", 4),
        case("four classes, constants, elements first", random, 4, 9, 5, 0.9, True, False, "elements", 3),
        case("two classes, coupled, rows first", random, 2, 8, 4, 1.0, True, True, "rows", 4),
        case("three classes, coupled, elements first", random, 3, 7, 6, 1.5, False, True, "elements", 3),
        case("lambda zero", random, 3, 6, 3, 0.0, True, False, "rows", 2),
        case("one class, large lambda", random, 1, 6, 3, 3.0, False, False, "rows", 2),
    ]
    path = pathlib.Path(__file__).with_suffix(".json")
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
    path.write_text(f'{{"source":"problem2.py","cases":[\n{lines}\n]}}\n')
    killed = sum(1 for each in cases for row in each["steps"][-1]["rows"] if not any(row))
    print(f"{path}: {len(cases)} cases, {killed} rows at zero, {path.stat().st_size} bytes")


main()
