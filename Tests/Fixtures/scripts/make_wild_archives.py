"""Writes Tests/Fixtures/wild: checkpoints as other people's training programs leave them, and expected.json with the
shape and SHA-256 of the float32 bytes of each tensor of the model, as PyTorch reads them.
PyTorch 2.13, Lightning 2.6.6, mmengine 0.10.7, NumPy 2.

    python make_wild_archives.py ../wild
"""
import collections, enum, functools, hashlib, json, os, pathlib, signal, sys, tempfile, types, warnings
import numpy
import torch

warnings.filterwarnings("ignore")
folder = sys.argv[1]
torch.manual_seed(11)
expected = {}


def note(file, tensors):
    expected[file] = {
        name: [list(t.shape), hashlib.sha256(t.detach().float().contiguous().numpy().tobytes()).hexdigest()]
        for name, t in tensors.items()
    }


class Settings:
    class Optimizer:
        class Schedule(enum.Enum):
            COSINE = "cosine"

        def __init__(self):
            self.schedule = self.Schedule.COSINE

        def rate(self, step):
            return 0.1

        @staticmethod
        def warm(step):
            return 0.1


class Averages(collections.OrderedDict):
    """A state dict of a class of somebody's own."""


class Marked(torch.Tensor):
    """A tensor of a class of somebody's own."""


# Names that programs pickle by the way: labels, none of which runs anything.
weight = torch.randn(3, 2)
parameter = torch.nn.Parameter(torch.randn(4))
parameter.decay = False
tagged = torch.randn(2)
tagged.source = "somebody"
names = {
    "model": {"weight": weight, "parameter": parameter, "tagged": tagged, "own": torch.randn(2).as_subclass(Marked),
              "buffer": torch.nn.Buffer(torch.randn(3))},
    "averages": Averages(weight=weight + 1), "counts": collections.defaultdict(list, weight=weight + 2),
    "range": range(7), "settings": Settings.Optimizer(), "method": Settings.Optimizer().rate, "static": Settings.Optimizer.warm,
    "class": Settings.Optimizer, "partial": functools.partial(print, end=""), "signal": signal.SIGUSR1, "slice": slice(1, 9, 2),
    "path": pathlib.PurePosixPath("/data/videos"), "bits": 1 << 1000, "negative": -(1 << 200), "state": numpy.random.default_rng(3),
    "old": numpy.random.RandomState(3), "set": {1, 2}, "frozen": frozenset("ab"), "bytes": b"\x00\xff", "complex": 2j,
    "dots": Ellipsis, "type": type(None), "int": int, "space": types.SimpleNamespace(a=1), "deque": collections.deque([1]),
    "counter": collections.Counter("aab"), "device": torch.device("cpu"), "dtype": torch.bfloat16,
    "by_class": {Settings: {"best": torch.tensor(0.5)}, Settings.Optimizer: {"best": torch.tensor(0.25)}},
    "by_member": {Settings.Optimizer.Schedule.COSINE: {"best": torch.tensor(0.125)}},
}
torch.save(names, f"{folder}/names.pt")
note("names.pt", {f"model.{k}": v for k, v in names["model"].items()} | {
    "averages.weight": weight + 1, "counts.weight": weight + 2, "by_class.__main__.Settings.best": torch.tensor(0.5),
    "by_class.__main__.Settings.Optimizer.best": torch.tensor(0.25)})

# Tensors that few read, beside one that is wanted.
exotic = {
    "wanted": weight, "windows": torch.arange(9.0).unfold(0, 4, 2), "mask": torch.zeros(1).expand(4000, 4000),
    "complex": torch.view_as_complex(torch.randn(4, 2)), "sparse": weight.to_sparse(), "meta": torch.zeros(9, device="meta"),
    "quantized": torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), "eight": torch.zeros(4, dtype=torch.float8_e4m3fn),
    "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}
torch.save(exotic, f"{folder}/exotic.pt")
note("exotic.pt", {"wanted": weight})

# Lightning: a scheduler whose state names a method, callbacks, hyperparameters with classes of their own.
import lightning


class Module(lightning.LightningModule):
    def __init__(self, settings=Settings.Optimizer, signals=(signal.SIGUSR1,), frames=range(8)):
        super().__init__()
        self.save_hyperparameters()
        self.model = torch.nn.Linear(3, 2)

    def training_step(self, batch, index):
        loss = self.model(batch[0]).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=9)]


with tempfile.TemporaryDirectory() as place:
    module = Module()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(4, 3)), batch_size=2)
    callbacks = [lightning.pytorch.callbacks.EarlyStopping("loss"), lightning.pytorch.callbacks.ModelCheckpoint(place, monitor="loss")]
    trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", callbacks=callbacks, logger=False, enable_progress_bar=False,
                                enable_model_summary=False, default_root_dir=place)
    trainer.fit(module, loader)
    trainer.save_checkpoint(f"{folder}/lightning.ckpt")
    # Before version 1.5 callbacks were kept by their classes, and OneCycleLR kept its method.
    old = torch.load(f"{folder}/lightning.ckpt", weights_only=False)
    old["callbacks"] = {type(c): c.state_dict() | {"best_score": torch.tensor(0.5)} for c in callbacks}
    old["lr_schedulers"][0]["anneal_func"] = torch.optim.lr_scheduler.OneCycleLR._annealing_cos
    torch.save(old, f"{folder}/lightning-old.ckpt")
    for file in ("lightning.ckpt", "lightning-old.ckpt"):
        note(file, {f"state_dict.{k}": v for k, v in module.state_dict().items()})

# mmengine: a message hub of history buffers, and a configuration.
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub

hub = MessageHub.get_instance("wild")
hub.update_scalar("train/loss", 0.5)
hub.update_info("epoch", 3)
linear = torch.nn.Linear(3, 2)
torch.save(
    {"meta": {"cfg": "model = dict()", "epoch": 3, "dataset_meta": ConfigDict(classes=("run", "jump"))},
     "state_dict": linear.state_dict(), "message_hub": hub.state_dict()}, f"{folder}/mmengine.pth")
note("mmengine.pth", {f"state_dict.{k}": v for k, v in linear.state_dict().items()})

json.dump(expected, open(f"{folder}/expected.json", "w"), indent=0)
