"""Writes relu_covariance.json: means and covariances of rectified unit normal values by the closed form.

E max(z, 0) = h Phi(h) + phi(h), and with F = E max(z, 0) max(w, 0), q = sqrt(1 - rho^2),
F = (h k + rho) Phi2(h, k; rho) + h phi(k) Phi((h - rho k) / q) + k phi(h) Phi((k - rho h) / q) + q^2 phi2(h, k; rho).
Needs numpy and scipy.
"""

import json

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

np.seterr(all="raise", under="ignore")


def phi2(h, k, rho):
    q2 = 1 - rho * rho
    return np.exp(-(h * h - 2 * rho * h * k + k * k) / (2 * q2)) / (2 * np.pi * np.sqrt(q2))


def cdf2(h, k, rho):
    """P(z <= h, w <= k) by conditioning on z: adaptive quadrature of phi(x) Phi((k - rho x) / q)."""
    q = np.sqrt(1 - rho * rho)
    kink = k / rho if rho else 0.0
    points = sorted(p for p in {kink - 8 * q, kink, kink + 8 * q} if -12 < p < h)
    edges = [-12.0, *points, h]
    return sum(
        quad(lambda x: norm.pdf(x) * norm.cdf((k - rho * x) / q), a, b, epsabs=1e-14, epsrel=1e-13)[0]
        for a, b in zip(edges, edges[1:])
    )


def mean(h):
    return h * norm.cdf(h) + norm.pdf(h)


def product(h, k, rho):
    q = np.sqrt(1 - rho * rho)
    return (
        (h * k + rho) * cdf2(h, k, rho)
        + h * norm.pdf(k) * norm.cdf((h - rho * k) / q)
        + k * norm.pdf(h) * norm.cdf((k - rho * h) / q)
        + q * q * phi2(h, k, rho)
    )


cases = []
for h in [-4.0, -1.5, -0.5, 0.0, 0.25, 1.0, 4.0]:
    for k in [-3.0, -1.0, 0.0, 0.25, 1.0, 4.0]:
        for rho in [-0.9990234375, -0.875, -0.25, 0.0, 0.5, 0.9375, 0.9990234375]:
            covariance = product(h, k, rho) - mean(h) * mean(k)
            cases.append({"h": h, "k": k, "rho": rho, "mean": mean(h), "covariance": covariance})
with open("relu_covariance.json", "w") as file:
    json.dump({"cases": cases}, file)
    file.write("\n")
