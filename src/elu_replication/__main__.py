"""Train arms of one's own: `python -m elu_replication activation=relu epochs=5`, or with -m a sweep."""

from elu_replication.commands.sweep import main
from elu_replication.errors import run_main

run_main(main)
