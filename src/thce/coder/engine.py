"""Many narratives over the machines of a Ray cluster: the rows of `thce.coder.run`, in the same order.

Ray is an optional package (`pip install -c constraints.txt -e '.[ray]'`). Without a running cluster it starts one on
this machine for the time of the run. The whole input is read before the first row is coded.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from thce.coder.records import Job
from thce.coder.run import Setup, Worker
from thce.errors import UserError

NAME = "--engine ray"


class Coding:
    """A worker of the cluster: loads its model once, then turns chunks of jobs into rows. Both travel as bytes, since a
    table of Arrow would give rows of different kinds one set of columns."""

    def __init__(self, setup: Setup) -> None:
        import torch

        torch.set_num_threads(1)  # the cluster counts one processor per worker
        self.worker: Worker | None = None
        try:
            self.worker = Worker(setup)
        except UserError as error:  # raised here it would drown in Ray's own words
            self.fault = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Chunks (`jobs`, pickled) -> their rows (`rows`, JSON), or what keeps this worker from coding, as a text."""
        worker = self.worker
        found = [self.fault if worker is None else worker.rows(pickle.loads(jobs)) for jobs in batch["jobs"]]
        return {"rows": np.array([json.dumps(one).encode() for one in found], dtype=object)}


def run(jobs: Iterator[Job], setup: Setup, workers: int, size: int) -> Iterator[tuple[list[Job], list[dict[str, Any]]]]:
    """Chunks of at most `size` jobs with their rows, in order, as `thce.coder.run.run` gives them.

    `workers` models are spread over the cluster that `RAY_ADDRESS` names, or that runs on this machine. The paths of
    `setup` must hold the same files on every machine. Raises `UserError` without Ray, when the cluster is too small, and
    when a worker is lost for good.
    """
    ray = _connect(workers)
    chunks: list[list[Job]] = []
    while chunk := list(islice(jobs, size)):
        chunks.append(chunk)
    if not chunks:
        return
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    model, coder, codes = (str(Path(folder).resolve()) for folder in (setup.model, setup.coder, setup.codes))
    setup = replace(setup, model=model, coder=coder, codes=codes)
    with ray.data.DataContext.current(context):
        coded = ray.data.from_items([{"jobs": pickle.dumps(chunk)} for chunk in chunks], override_num_blocks=len(chunks))
        coded = coded.map_batches(
            Coding,
            fn_constructor_args=(setup,),
            batch_size=None,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
    try:
        for chunk, row in zip(chunks, coded.iter_rows(), strict=True):
            found = json.loads(row["rows"])
            if isinstance(found, str):
                raise UserError(NAME, found, "every machine needs the same files")
            yield chunk, found
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines()[-1]
        raise UserError(NAME, f"a worker was lost ({said})", "--resume goes on") from None


def _connect(workers: int) -> Any:
    """Ray, joined to a cluster with a processor for each worker."""
    # set before the import: Ray reports its use to its makers otherwise, and no run of ours speaks to the outside
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError(NAME, "Ray is not installed", "pip install -c constraints.txt -e '.[ray]'") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if not ray.is_initialized():
        ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    there = int(ray.cluster_resources().get("CPU", 0))
    if there < workers:
        raise UserError("--workers", f"{workers} are more than the {there} processors of the cluster", "ask for fewer")
    return ray
