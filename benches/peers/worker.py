"""One workload of a peer: reads `go` on standard input, runs once, answers with seconds and the check value as JSON.

The driver starts one worker per workload and peer and alternates it with tropix. Operands are made once; the first answer
comes after a warm-up.
"""

import json
import sys
import time

import numpy as np

from data import values


def layers(widths):
    """Weights and biases of a head: operands 2, 3, 4, 5, ... after the samples."""
    shapes = list(zip(widths[1:], widths[:-1]))
    return [(values(2 + 2 * i, shape), values(3 + 2 * i, (shape[0],))) for i, shape in enumerate(shapes)]


def faiss_tropical(shape, threads):
    """max_i c_i + <a_i, x> is the inner product of (a_i, c_i) and (x, 1): a search for the nearest one by it."""
    import faiss

    faiss.omp_set_num_threads(threads)
    n, d, m = shape
    points = np.hstack([values(1, (n, d)), np.ones((n, 1), np.float32)])
    index = faiss.IndexFlatIP(d + 1)
    index.add(np.hstack([values(2, (m, d)), values(3, (m, 1))]))
    return lambda: index.search(points, 1), lambda r: r[0].mean(dtype=np.float64) + r[1].mean() / m


def torch_tropical(shape, threads):
    """Chunks whose products stay in the cache."""
    import torch

    torch.set_num_threads(threads)
    n, d, m = shape
    points, exponents, coefficients = (torch.from_numpy(values(i, s)) for i, s in ((1, (n, d)), (2, (m, d)), (3, (m,))))
    chunk = max(1, (1 << 20) // m)

    def run():
        found, at = torch.empty(n), torch.empty(n, dtype=torch.int64)
        for i in range(0, n, chunk):
            j = min(i + chunk, n)
            torch.max(torch.addmm(coefficients, points[i:j], exponents.T), 1, out=(found[i:j], at[i:j]))
        return found, at

    return run, lambda r: r[0].mean(dtype=torch.float64).item() + r[1].double().mean().item() / m


def torch_support(shape, threads):
    import torch

    torch.set_num_threads(threads)
    n, d, m = shape
    directions, first, second = (torch.from_numpy(values(i, s)) for i, s in ((1, (n, d)), (2, (m, d)), (3, (m, d))))
    chunk = max(1, (1 << 20) // m)

    def run():
        largest = 0.0
        for i in range(0, n, chunk):
            u = directions[i : i + chunk]
            h = [(u @ g.T).relu_().sum(1) for g in (first, second)]
            largest = max(largest, (h[0] - h[1]).abs().max().item())
        return largest

    return run, lambda r: r


def numpy_scores(shape, _):
    """Norms, row scores, rows scaled and elements shrunk at lambda 20, with no temporary of the size of A."""
    p, n, k = shape
    a, c, b = values(1, (p, n)), values(2, (p,)), values(3, (k, p))
    t = np.abs(b)

    def run():
        norms = np.sqrt(np.einsum("ij,ij->i", a, a) + c * c)
        rows = norms * np.einsum("ij,ij->j", b, b) / np.abs(b).sum(0)
        cut = np.float32(20) / norms
        scale = np.maximum(np.einsum("ij,ij->j", t, t) - cut * t.sum(0), 0) / np.einsum("ij,ij->j", t, t)
        elements = np.subtract(t, cut)
        np.maximum(elements, 0, out=elements)
        elements /= scale
        return rows, elements

    return run, lambda r: r[1].mean(dtype=np.float64)


def numpy_curve(shape, _):
    """Sort once, then per rate a mask and the products of the layers."""
    samples, widths = shape[0], shape[1:]
    x, head = values(1, (samples, widths[0])), layers(widths)
    sizes = np.cumsum([0] + [w.size for w, _ in head])

    def classes(weights):
        signal = x
        for i, (w, (_, bias)) in enumerate(zip(weights, head)):
            signal = signal @ w.T
            signal += bias
            if i + 1 < len(head):
                np.maximum(signal, 0, out=signal)
        return signal.argmax(1)

    def run():
        whole = classes([w for w, _ in head])
        order = np.argsort(np.abs(np.concatenate([w.ravel() for w, _ in head])), kind="stable")
        agreement, keep = [], np.ones(sizes[-1], np.float32)
        done = 0
        for step in range(50):
            removed = int(np.floor(step / 50 * sizes[-1] + 0.5))
            keep[order[done:removed]] = 0
            done = removed
            masked = [w * keep[i:j].reshape(w.shape) for (w, _), i, j in zip(head, sizes, sizes[1:])]
            agreement.append((classes(masked) == whole).mean())
        return agreement

    return run, lambda r: float(np.mean(r))


def normals(operand, shape):
    """Normal values of `bench::geometry`: Box and Muller from two uniform ones each, rounded to float32."""
    uniform = values(operand, (int(np.prod(shape)), 2)).astype(np.float64)
    radius = np.sqrt(-2 * np.log(0.5 * (uniform[:, 0] + 1) + 2.0**-25))
    return (radius * np.cos(np.pi * uniform[:, 1])).reshape(shape)


def samples(shape, near):
    n, d, m = shape
    y = normals(2, (m, d)).astype(np.float32)
    x = normals(1, (n, d))
    if near:
        x = y[(7919 * np.arange(n) + 13) % m].astype(np.float64) + 0.01 * x
    return x.astype(np.float32), y


def scipy_hausdorff(shape, _):
    """The early break of Taha and Hanbury, in one thread."""
    from scipy.spatial.distance import directed_hausdorff

    x, y = (points.astype(np.float64) for points in samples(shape, False))
    return lambda: directed_hausdorff(x, y, seed=0), lambda r: r[0]


def ckdtree_hausdorff(shape, threads):
    """Building the tree belongs to the work."""
    from scipy.spatial import cKDTree

    x, y = (points.astype(np.float64) for points in samples(shape, True))
    return lambda: cKDTree(y).query(x, workers=threads)[0].max(), lambda r: float(r)


def faiss_hausdorff(shape, threads):
    import faiss

    faiss.omp_set_num_threads(threads)
    x, y = samples(shape, True)

    def run():
        index = faiss.IndexFlatL2(shape[1])
        index.add(y)
        return index.search(x, 1)

    # Its squares lose digits on near copies: the check computes the distance of the pair that it found.
    return run, lambda r: float(np.linalg.norm((x.astype(np.float64) - y[r[1][:, 0]]), axis=1).max())


def clustered(n, d):
    """The points of `bench::kmeans`."""
    corners, spread = 256, 4
    z, directions = values(1, (n, spread)).astype(np.float64), values(2, (spread, d)).astype(np.float64)
    x = values(3, (corners, d)).astype(np.float64)[np.arange(n) % corners]
    for l in range(spread):
        x += z[:, l : l + 1] * directions[l]
    return (x + 0.1 * values(4, (n, d)).astype(np.float64)).astype(np.float32)


def faiss_kmeans(iterations):
    """Lloyd's method from the same centres; the check computes the inertia of the last assignment to the last centres."""

    def prepare(shape, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        n, d, k = shape
        x = clustered(n, d)
        half = np.flatnonzero(np.arange(n) % 256 < 128)
        seeds = x[half[7919 * np.arange(max(1, min(k, n // 4))) % len(half)]]
        k = len(seeds)

        def run():
            method = faiss.Kmeans(d, k, niter=iterations, min_points_per_centroid=1, max_points_per_centroid=n)
            method.train(x, init_centroids=seeds)
            return method.centroids

        def check(centres):
            # The labels of the last iteration: those of the centres one iteration before.
            earlier = seeds
            if iterations > 1:
                method = faiss.Kmeans(d, k, niter=iterations - 1, min_points_per_centroid=1, max_points_per_centroid=n)
                method.train(x, init_centroids=seeds)
                earlier = method.centroids
            index = faiss.IndexFlatL2(d)
            index.add(earlier)
            labels = index.search(x, 1)[1][:, 0]
            gaps = x.astype(np.float64) - centres[labels]
            return np.einsum("ij,ij->", gaps, gaps) / n

        return run, check

    return prepare


def numpy_vertices(shape, _):
    """Sign vectors at the rays of all (d - 1)-subsets, made unique; in the plane a sort by angle and running sums."""
    from itertools import combinations

    p, d, _ = shape
    g = values(1, (p, d)).astype(np.float64)

    def plane():
        low = g[(g[:, 1] < 0) | ((g[:, 1] == 0) & (g[:, 0] < 0))].sum(0)
        up = np.where(((g[:, 1] < 0) | ((g[:, 1] == 0) & (g[:, 0] < 0)))[:, None], -g, g)
        up = up[np.argsort(np.arctan2(up[:, 1], up[:, 0]))]
        half = low + np.vstack([np.zeros(2), np.cumsum(up, 0)])
        return np.vstack([half[:-1], half[0] + half[-1] - half[:-1]])

    def rays():
        subsets = np.array(list(combinations(range(p), d - 1)))
        u = np.linalg.svd(g[subsets])[2][:, -1, :]
        signs = np.array([[code >> i & 1 for i in range(d - 1)] for code in range(2 ** (d - 1))], bool)
        s = np.repeat((u @ g.T > 0)[:, None, :], len(signs), 1)
        s[np.arange(len(s))[:, None, None], np.arange(len(signs))[None, :, None], subsets[:, None, :]] = signs
        s = s.reshape(-1, p)
        packed = np.packbits(np.concatenate([s, ~s]), axis=1)
        found = np.unique(packed.view(np.dtype((np.void, packed.shape[1]))).ravel())
        return np.unpackbits(found.view(np.uint8).reshape(len(found), -1), axis=1)[:, :p] @ g

    run = plane if d == 2 else rays
    if p < d:
        run = lambda: np.array([[code >> i & 1 for i in range(p)] for code in range(2**p)]) @ g
    return run, lambda r: float(np.linalg.norm(r, axis=1).mean())


WORK = {
    ("W1a", "faiss"): faiss_tropical,
    ("W1a", "torch"): torch_tropical,
    ("W1b", "faiss"): faiss_tropical,
    ("W1b", "torch"): torch_tropical,
    ("W3a", "scipy"): scipy_hausdorff,
    ("W3b", "scipy"): scipy_hausdorff,
    ("W3c", "scipy"): scipy_hausdorff,
    ("W3d", "ckdtree"): ckdtree_hausdorff,
    ("W3e", "ckdtree"): ckdtree_hausdorff,
    ("W3f", "faiss"): faiss_hausdorff,
    ("W6a", "faiss"): faiss_kmeans(1),
    ("W6b", "faiss"): faiss_kmeans(10),
    ("W7a", "numpy"): numpy_vertices,
    ("W7b", "numpy"): numpy_vertices,
    ("W7c", "numpy"): numpy_vertices,
    ("W7d", "numpy"): numpy_vertices,
    ("W7e", "numpy"): numpy_vertices,
    ("W7f", "numpy"): numpy_vertices,
    ("W4", "torch"): torch_support,
    ("W5", "numpy"): numpy_scores,
    ("W8a", "numpy"): numpy_curve,
    ("W8b", "numpy"): numpy_curve,
}


def main():
    workload, peer, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    shape = [int(size) for size in sys.argv[4].split(",")]
    run, check = WORK[workload, peer](shape, threads)
    result = run()
    print(json.dumps({"check": float(check(result))}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "check": float(check(result))}), flush=True)


main()
