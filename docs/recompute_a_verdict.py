"""One verdict again, on claim C7 by its primary reading, from results/paper/runs.csv.

It needs pandas and scipy alone: python docs/recompute_a_verdict.py
C7 says that under He initialization ELU has a slightly lower loss than ReLU.
"""

from pathlib import Path

import pandas as pd
from scipy import stats

runs = pd.read_csv(Path(__file__).parent.parent / "results/paper/runs.csv")
mine = runs[(runs.experiment == "machinecurve_25") & (runs.status == "finished")]
loss = mine.pivot(index="seed", columns="arm", values="test_loss")
if (loss.index >= 100).any():  # fresh seeds count alone; others in the table are those of other experiments
    loss = loss[loss.index >= 100]

# A seed gives both arms the same initial weights, batch order and dropout masks. Alpha is 1 by the text.
differences = (loss.he_elu1 - loss.he_relu).dropna()
n, mean = len(differences), differences.mean()
low, high = stats.t.interval(0.95, n - 1, mean, differences.sem())

# Six pairs are the least. Equivalence within 0.003 would not refute a published difference of 0.0012.
decided = "replicated" if high < 0 else "not replicated"
verdict = "inconclusive" if n < 6 or low <= 0 <= high else decided
print(f"C7, test loss of ELU less that of ReLU: {n} seeds, mean {mean:.4g}")
print(f"95% interval [{low:.4g}, {high:.4g}]: {verdict}")
