"""Writes Tests/Fixtures/embedding: scikit-learn's t-SNE, k-means and cluster metrics. Run from the package's root."""
import json, os
import numpy as np, sklearn, torch
from safetensors.torch import save_file
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness
from sklearn.manifold._t_sne import _joint_probabilities, _joint_probabilities_nn, _kl_divergence
from sklearn.neighbors import NearestNeighbors
from sklearn.metrics import homogeneity_completeness_v_measure, pairwise_distances
from scipy.spatial.distance import squareform

OUT = "Tests/Fixtures/embedding"
digits = load_digits()
order = np.random.default_rng(7).permutation(len(digits.target))[:200]
X = (digits.data[order] / 16).astype(np.float32)
labels = digits.target[order]
tensors = {"points": X, "labels": labels.astype(np.int32)}

# Neighbors, divergence and gradient at fixed places, over the first sixty points.
n, perplexity = 60, 12.0
distances = pairwise_distances(X[:n].astype(np.float64), squared=True).astype(np.float32)
P = _joint_probabilities(distances, perplexity, 0)
Y = np.random.default_rng(3).normal(size=(n, 2)) * 3
divergence, gradient = _kl_divergence(Y.ravel(), P, 1, n, 2)
tensors |= {"joint": squareform(P).astype(np.float32), "places": Y.astype(np.float32), "gradient": gradient.reshape(n, 2).astype(np.float32)}

# The same where only the nearest neighbors count, as before Barnes-Hut, but with every pair repelling.
graph = NearestNeighbors(n_neighbors=int(3 * perplexity + 1)).fit(X[:n]).kneighbors_graph(mode="distance")
graph.data **= 2
near = _joint_probabilities_nn(graph, perplexity, 0).toarray()
q = 1 / (1 + pairwise_distances(Y, squared=True)); np.fill_diagonal(q, 0)
W = (near - q / q.sum()) * q
tensors["gradient_nearest"] = (4 * (W.sum(1)[:, None] * Y - W @ Y)).astype(np.float32)
divergence_nearest = float((near[near > 0] * np.log(near[near > 0] / (q / q.sum())[near > 0])).sum())


def kept(Y, k=10):
    """Share of the k nearest neighbors that are still among the k nearest in the plane."""
    def near(Z):
        d = pairwise_distances(Z); np.fill_diagonal(d, np.inf)
        return d.argsort(1)[:, :k]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(near(X), near(Y))]))


runs = {}
for method in ("exact", "barnes_hut"):
    t = TSNE(perplexity=30, init="pca", learning_rate="auto", method=method, random_state=0)
    Y = t.fit_transform(X)
    runs[method] = dict(divergence=float(t.kl_divergence_), trustworthiness=float(trustworthiness(X, Y, n_neighbors=10)), kept=kept(Y))
km = KMeans(n_clusters=10, n_init=50, random_state=0).fit(X)
rng = np.random.default_rng(5)
pairs = [(labels, km.labels_), (labels, labels), (labels, np.zeros(200, int)), (np.zeros(200, int), labels), (np.zeros(5, int), np.zeros(5, int)),
         (rng.integers(0, 4, 50), rng.integers(0, 7, 50)), ([0, 0, 1, 1], [0, 1, 2, 3]), ([0, 1, 2, 3], [0, 0, 1, 1]), ([0, 1], [1, 0])]
agreements = [dict(classes=[int(v) for v in a], clusters=[int(v) for v in b], values=[float(v) for v in homogeneity_completeness_v_measure(a, b)]) for a, b in pairs]
save_file({k: torch.tensor(v).contiguous() for k, v in tensors.items()}, f"{OUT}/digits.safetensors")
json.dump(dict(scikit_learn=sklearn.__version__, perplexity=perplexity, divergence=float(divergence), divergence_nearest=divergence_nearest, runs=runs, spread=float(km.inertia_), agreements=agreements),
          open(f"{OUT}/expected.json", "w"), separators=(",", ":"))
print(json.dumps(runs), km.inertia_, divergence)
