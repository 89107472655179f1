"""`make growth`: how long the aggregate steps take with many more runs than are stored.

Runs are generated, not trained: each is a stored run of the same model under another arm and seed, with
noise in its losses. All of it happens in a temporary folder.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from elu_replication import atomic, experiments, fingerprint, runs
from elu_replication.config import Arm, Scale
from elu_replication.errors import run_main
from elu_replication.experiments import RESULTS
from elu_replication.terminal import say

FILE = RESULTS / "bench/growth.csv"
COPIED = ("conf", "experiments", "dvc.yaml", "params.yaml", "README.md", "CITATION.cff", "results/bench")
