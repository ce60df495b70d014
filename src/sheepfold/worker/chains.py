"""The chain: a renderer that stays loaded between tasks of one order, and is ended as soon as another is wanted."""

import json
import logging
import os
import tempfile
from pathlib import Path

from sheepfold.kinds import registry as kinds
from sheepfold.kinds.seam import Chain, RenderOrder
from sheepfold.protocols.link import Work
from sheepfold.worker.bench import Bench
from sheepfold.worker.folder import remove_folder
from sheepfold.worker.sandbox import Limits

_log = logging.getLogger(__name__)


class Chains:
    """Keeps at most one chain, in a folder of its own. Used by one thread; the bench's `stop` may come from any.

    `kept` is the folder of what outlives chains, each kind's below it.
    """

    def __init__(self, folder: Path, kept: Path, limits: Limits) -> None:
        self._folder = folder
        self._kept = kept
        self._limits = limits
        self._key = ""
        self._bench: Bench | None = None
        self._chain: Chain | None = None
        self._cpu_s = 0.0

    def bench_for(self, work: Work, log: Path) -> Bench | None:
        """Return the bench of a task, that of the tasks before where they were of one order.

        None where the task's kind renders each task by itself.
        """
        if not hasattr(kinds.module_of(work.kind, "render"), "open_chain"):
            self.close()
            return None
        key = json.dumps([work.kind, work.order or [work.spec, work.inputs, work.script]], sort_keys=True)
        if self._bench is not None and self._chain is not None and key == self._key and self._may_go_on():
            self._cpu_s += self._bench.usage.cpu_s
            self._bench.turn_to(log)
            return self._bench
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(dir=self._folder))  # a new one, should a stranger's have resisted its removal
        self._key, self._bench = key, Bench(room, log, self._limits, kept=self._kept / work.kind)
        return self._bench

    def render(self, work: Work, order: RenderOrder) -> Path:
        """Render a task at its bench; raises as the kind does, and the chain is at its end then."""
        assert self._bench is not None  # `bench_for` was asked
        if self._chain is None:
            self._chain = kinds.module_of(work.kind, "render").open_chain(order, self._bench)
            _log.info("chain=opened kind=%s", work.kind)
        return self._chain.render(order)

    def close(self) -> None:
        """End the chain, if there is one, and remove what it left."""
        if self._chain is not None:
            self._chain.close()
            _log.info("chain=closed")
        self._key, self._bench, self._chain, self._cpu_s = "", None, None, 0.0
        remove_folder(self._folder)

    def _may_go_on(self) -> bool:
        """Say whether the program's limit of processor time leaves room for another task as long as one may be."""
        assert self._bench is not None
        used_s = self._cpu_s + self._bench.usage.cpu_s
        return not self._bench.is_stopped and used_s < self._limits.time_s * (os.cpu_count() or 1) / 2
