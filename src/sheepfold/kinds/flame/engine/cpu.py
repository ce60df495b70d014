"""The processor's back end: kernels compiled by numba, kept on disk, played by one pool of chains a thread."""

import hashlib
import importlib.util
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
from llvmlite import binding
from numba.core import config
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine import approx, loops, vectors
from sheepfold.kinds.flame.engine.codegen import POOL, Structure, distinct, offsets, processor_source
from sheepfold.kinds.flame.engine.params import Params

LIFE = 10_000
"""Rounds after which a pool begins anew, as flam3's chains do, lest genomes that drift drift on."""


def use_wide_vectors() -> int:
    """Let LLVM use 512-bit vectors where the processor has them, and return the width that will be used, in bits.

    LLVM prefers half of it on most processors, at a cost of a tenth to a half. To be called before the first kernel
    is compiled; numba asks once.
    """
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        if config.CPU_FEATURES is None:  # type: ignore[attr-defined]
            config.CPU_NAME = binding.get_host_cpu_name()  # type: ignore[attr-defined]
            config.CPU_FEATURES = features.flatten() + ",-prefer-256-bit"  # type: ignore[attr-defined]
        return 512
    return 256 if features.get("avx") else 128


VECTOR_BITS = use_wide_vectors()


def cache_folder() -> Path:
    """Return where kernels are kept: below XDG_CACHE_HOME or its like."""
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sheepfold" / "kernels"


class Pool:
    """4096 chains of one thread: where they are, their random states, and room to work in."""

    def __init__(self, structure: Structure, seed: Sequence[int]) -> None:
        self._random = np.random.default_rng(seed)
        self.points = [np.empty(POOL, np.float32) for _ in range(9)]
        count = len(structure.shapes)
        self.lanes = self._random.integers(1, 2**32, POOL, np.uint32)
        self.marks = [np.empty(POOL, np.int32) for _ in range(2)]
        self.bounds = np.linspace(0, POOL, count + 1).astype(np.int64)
        self.old = np.zeros(count + 1, np.int64)
        self.spans = np.zeros((count, count), np.int64)
        self.word = self._random.integers(1, 2**63, 1, np.uint64)
        self.age = 0
        self.seed_points()

    def seed_points(self) -> None:
        """Put every chain anywhere in the square from -1 to 1, with any colour."""
        for axis, low in zip(self.points[:3], (-1.0, -1.0, 0.0), strict=True):
            axis[:] = self._random.uniform(low, 1.0, POOL)
        self.age = 0


class Kernel:
    """A compiled structure. `play` is thread-safe for different pools and buckets."""

    def __init__(self, structure: Structure, module: ModuleType) -> None:
        self.structure = structure
        self._play: Callable[..., tuple[int, int]] = module.play
        self._bends: list[Callable[..., int]] = [
            getattr(module, name) for name in (distinct(structure)[shape] for shape in structure.shapes)
        ]

    @property
    def signatures(self) -> Sequence[object]:
        """Return the types of arguments that `play` is compiled for; more than one cost seconds for nothing."""
        signatures: Sequence[object] = self._play.signatures  # type: ignore[attr-defined]
        return signatures

    def bend(self, index: int, *arrays: NDArray[np.float32] | NDArray[np.uint32]) -> int:
        """Apply one transform: its numbers, x, y, colours (changed in place) and random states; return bad points."""
        return int(self._bends[index](*arrays))

    def play(self, params: Params, buckets: NDArray[np.float32], pool: Pool, samples: float) -> int:
        """Add so many points to buckets, or one more where that is no whole number; return how many."""
        done = 0
        while done < samples:
            if pool.age >= LIFE:
                pool.seed_points()
            if pool.age == 0:
                self.play_rounds(replace(params, camera=_blind(params.camera)), buckets, pool,
                             POOL * params.fuse, params.fuse)
            rounds = min(LIFE, int((samples - done) // POOL) + 1)
            done += self.play_rounds(params, buckets, pool, samples - done, rounds)
        return done

    def play_rounds(
        self, params: Params, buckets: NDArray[np.float32], pool: Pool, samples: float, rounds: int
    ) -> int:
        """Play until there are so many samples, or so many rounds were played; return the points that count."""
        x, y, c, x2, y2, c2, x3, y3, c3 = pool.points
        done, turns = self._play(params.vector, params.shares, np.float32(params.seen), params.bases, params.camera,
                              params.shades, buckets, x, y, c, pool.lanes, x2, y2, c2, x3, y3, c3, *pool.marks,
                              pool.bounds, pool.old, pool.spans, pool.word, float(samples), rounds)  # fmt: skip
        pool.age += turns
        return int(done)


def _blind(camera: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a camera that no point is inside of."""
    camera = camera.copy()
    camera[6] = 0
    return camera


@lru_cache(64)
def compile_structure(structure: Structure) -> Kernel:
    """Return the kernel of a structure, compiled at its first play or taken from the disk."""
    return Kernel(structure, _import(structure))


def compile_ahead(structure: Structure) -> None:
    """Compile a structure's kernel onto the disk, knowing no genome: it is played for no round."""
    count = len(structure.shapes)
    shares = np.zeros((count, count + 1) if structure.has_xaos else count + 1, np.float64)
    blank = np.zeros(structure.channels, np.float32)
    size = offsets(structure)[-1][1]
    params = Params(np.zeros(size, np.float32), shares, 1.0, np.zeros(count, np.int64), np.zeros(10, np.float32), blank)
    compile_structure(structure).play_rounds(params, blank.copy(), Pool(structure, (0,)), 0.0, 0)


def adopt(structure: Structure, store: Path) -> bool:
    """Take a structure's kernel over from another folder, unless it is here; False where there is none.

    It is copied, as numba keeps nothing in a folder that it cannot write to.
    """
    source = _source(structure)
    if source.exists():
        return True
    if not (store / source.name).exists():
        return False
    numbas = source.parent / "__pycache__"
    numbas.mkdir(parents=True, exist_ok=True)
    for file in (store / "__pycache__").glob(f"{source.stem}.*"):
        shutil.copy2(file, numbas / file.name)
    shutil.copy2(store / source.name, source)
    return True


@lru_cache(1)
def _mark() -> str:
    """Return a name for all else that machine code depends on: what kernels call, unseen by numba; the machine."""
    called = "".join(map(inspect.getsource, (loops, approx, vectors)))
    here = (numba.__version__, sys.version, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten())
    return hashlib.sha256("\n".join((called, *here)).encode()).hexdigest()[:8]


def _source(structure: Structure) -> Path:
    """Return where a kernel's source is, which numba keeps the machine code beside."""
    return cache_folder() / f"flame_{structure.key}_{_mark()}.py"


def _import(structure: Structure) -> ModuleType:
    path = _source(structure)
    name = path.stem
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(processor_source(structure), "utf-8")
        draft.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks modules up by name when it takes code from the disk
    spec.loader.exec_module(module)
    return module


def accumulate(
    kernel: Kernel, moments: Iterable[tuple[Params, float]], shape: tuple[int, int], seed: int, threads: int = 1,
    buckets: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], int]:  # fmt: skip
    """Return additive buckets, rows by columns by channels, and how many samples were added.

    `moments` are the frame's parameters, each with the samples it is to have. Earlier `buckets` are added to and
    returned. Same seed and number of threads, same buckets on the same processor.
    """
    moments = list(moments)
    whole = (*shape, kernel.structure.channels)
    hists = [np.zeros(whole, np.float32) if thread or buckets is None else buckets for thread in range(threads)]

    def work(thread: int) -> int:
        pool = Pool(kernel.structure, (seed, thread))
        done, wanted = 0, 0.0
        for params, samples in moments:
            wanted += samples / threads
            if wanted > done:
                done += kernel.play(params, hists[thread].reshape(-1), pool, wanted - done)
        return done

    with ThreadPoolExecutor(threads) as crew:
        count = sum(crew.map(work, range(threads)))
    for more in hists[1:]:
        hists[0] += more
    return hists[0], count
