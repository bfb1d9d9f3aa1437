"""Makes Tests/Fixtures/metrics/expected.json: what scikit-learn, SciPy and NumPy say of small lists of predictions.

    python3 Tests/Fixtures/scripts/make_metrics.py

Needs numpy, scipy and scikit-learn; the file names the versions. Probabilities are multiples of 2⁻²⁰, so that
float32 and float64 hold the same numbers. No two are equal in one row: ties are tested by hand.

With FOLDER arguments it checks folders of `vifi-prompt evaluate` instead: every number of evaluation.json,
per_class.csv and confusion.csv against what scikit-learn makes of predictions.jsonl, and where a folder holds a
summary.json, its means, deviations and harmonic means against NumPy and SciPy.
"""
import csv, json, pathlib, sys, warnings
import numpy as np, scipy, sklearn
from scipy.stats import hmean
from sklearn import metrics

warnings.filterwarnings("ignore")


def scores(labels, probabilities):
    """Of one list; shares in percent, None where there is nothing to take a share of."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    classes = list(range(probabilities.shape[1]))
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted, labels=classes)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=np.nan)
    share = lambda values: [None if np.isnan(v) else 100 * float(v) for v in values]
    # f1 is defined by 2TP / (2TP + FP + FN); scikit-learn calls it so from 1.3 on.
    k = min(5, len(classes))
    top5 = 1.0 if k == len(classes) else metrics.top_k_accuracy_score(
        labels, probabilities if len(classes) > 2 else probabilities[:, 1], k=k, labels=classes)
    return {
        "top1": 100 * metrics.accuracy_score(labels, predicted), "top5": 100 * float(top5),
        "mean_class_accuracy": 100 * metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": 100 * metrics.f1_score(labels, predicted, average="macro"),
        "precision": share(precision), "recall": share(recall), "f1": share(f1),
        "support": [int(v) for v in support], "confusion": confusion.tolist(),
    }


def case(name, classes, videos, seed, empty=()):
    source = np.random.default_rng(seed)
    possible = [c for c in range(classes) if c not in empty]
    labels = source.choice(possible, videos)
    rows = []
    for label in labels:
        steps = source.choice(2**18, classes, replace=False)
        if source.random() < 0.5:
            steps[label] = 2**18 + label
        rows.append((steps / 2**20).tolist())
    return {"name": name, "labels": labels.tolist(), "probabilities": rows, "expected": scores(labels, rows)}


def make(path):
    source = np.random.default_rng(9)
    runs = [[float(v) for v in np.round(source.uniform(0, 100, n), 3)] for n in (2, 3, 5)]
    pairs = [[float(a), float(b)] for a, b in np.round(source.uniform(1, 100, (4, 2)), 3)]
    cases = [
        case("twelve classes", 12, 60, 1), case("a class without videos", 7, 20, 2, empty=(3,)),
        case("more classes than videos", 20, 6, 3), case("four classes", 4, 15, 4), case("two classes", 2, 9, 5),
        case("one video", 6, 1, 6), case("one video of three classes", 3, 1, 7),
    ]
    document = {
        "made_with": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}",
        "lists": cases,
        "runs": [{"values": v, "mean": float(np.mean(v)), "deviation": float(np.std(v, ddof=1))} for v in runs],
        "harmonic_means": [{"values": v, "mean": float(hmean(v))} for v in pairs],
    }
    path.write_text(json.dumps(document) + "\n")


def close(found, expected, what):
    same = found is None and expected is None or None not in (found, expected) and abs(found - expected) < 1e-6
    assert same, f"{what}: {found} here, {expected} by scikit-learn"


def check_list(folder):
    record = json.loads((folder / "evaluation.json").read_text())
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    expected = scores([l["label"] for l in lines], [l["probabilities"] for l in lines])
    for key in ("top1", "top5", "mean_class_accuracy", "macro_f1"):
        close(record[key], expected[key], f"{folder}: {key}")
    assert record["videos"] == len(lines)
    for line in lines:
        order = np.argsort(-np.asarray(line["probabilities"]), kind="stable").tolist()
        assert line["predicted"] == order[0] and line["rank"] == 1 + order.index(line["label"])
        assert [guess["label"] for guess in line["top"]] == order[:5]
    rows = list(csv.DictReader((folder / "per_class.csv").open()))
    for index, row in enumerate(rows):
        number = lambda text: float(text) if text else None
        assert int(row["videos"]) == expected["support"][index]
        for key, other in (("top1", "recall"), ("recall", "recall"), ("precision", "precision"), ("f1", "f1")):
            close(number(row[key]), expected[other][index], f"{folder}: {key} of {row['class']}")
    table = list(csv.reader((folder / "confusion.csv").open()))
    assert [[int(v) for v in row[1:]] for row in table[1:]] == expected["confusion"]


def check_summary(folder):
    summary = json.loads((folder / "summary.json").read_text())
    means = {}
    for result in summary["results"]:
        key = tuple(result.get(name) for name in ("method", "shots", "part", "measure"))
        if result.get("part") == "harmonic_mean":
            pair = [means[(key[0], key[1], part, key[3])] for part in ("base", "novel")]
            close(result["mean"], float(hmean(pair)), f"{folder}: {key}")
            continue
        values = [
            entry["evaluation"][key[3]] for entry in summary["evaluations"]
            if (entry["method"], entry.get("shots"), entry.get("part")) == key[:3]]
        assert values == result["values"], key
        means[key] = result["mean"]
        close(result["mean"], float(np.mean(values)), f"{folder}: {key}")
        close(result.get("deviation"), float(np.std(values, ddof=1)) if len(values) > 1 else None, f"{folder}: {key}")


if __name__ == "__main__":
    folders = [pathlib.Path(argument) for argument in sys.argv[1:]]
    if not folders:
        make(pathlib.Path(__file__).parent.parent / "metrics/expected.json")
    for folder in folders:
        lists = sorted(path.parent for path in folder.rglob("evaluation.json"))
        for path in lists:
            check_list(path)
        if (folder / "summary.json").exists():
            check_summary(folder)
        print(f"{folder}: {len(lists)} lists agree with scikit-learn {sklearn.__version__}")
