"""A granted task in SheepIt's words: what a request can do, and the one superset answer that serves all eras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sheepfold.farm.archives import ensure_archive
from sheepfold.farm.dispatch import Assignment
from sheepfold.farm.farm import Farm
from sheepfold.farm.renderers import pick, program_of
from sheepfold.farm.standing import standing
from sheepfold.model.matching import Abilities, Compute
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.sheepit.script import write_script
from sheepfold.protocols.sheepit.sessions import PROTOCOL, Visit
from sheepfold.store.renderers import RendererRow

KIND = "blender"
COMMAND_LINE = ".e --factory-startup --disable-autoexec -noaudio -b .c -o .o -f .f -x 1"
"""The scene's own scripts never run; ours, and the client's, come by `-P` with the scene's place."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A request for a task: whose it is, what its client can do right now, and with which renderers."""

    visit: Visit
    asked: wire.JobRequest
    renderers: Sequence[RendererRow]
    base_url: str
    client: str = ""

    @property
    def has_gpu(self) -> bool:
        """Say whether the client offers a graphics card; one that names none has none to offer beside its cores."""
        method = self.asked.compute_method
        return method is wire.ComputeMethod.GPU or (
            method is wire.ComputeMethod.EITHER and bool(self.asked.gpu_model))

    def abilities(self) -> Abilities:
        """Return what the farm may match tasks with; memory is what the request leaves free, else the machine's."""
        told = self.visit.told
        memory_kib = told.ram_kib if self.asked.ram_max_kib is None else self.asked.ram_max_kib
        return Abilities(
            kinds=frozenset({KIND}),
            renderers=frozenset(program_of(renderer) for renderer in self.renderers),
            platform=told.system,
            protocol=PROTOCOL,
            memory_mib=memory_kib // 1024,
            cpu=self.asked.compute_method is not wire.ComputeMethod.GPU,
            gpu=self.has_gpu,
            display=not told.is_headless,
        )

    def figures(self) -> dict[str, Any]:
        """Return what a lease's story should tell of its client."""
        asked, told = self.asked, self.visit.told
        said = {"client": self.client, "version": told.version, "era": str(told.era), "cores": asked.cpu_cores,
                "gpu": asked.gpu_model[:100], "gpu_type": asked.gpu_type[:20], "ram_max_kib": asked.ram_max_kib,
                "rendertime_max_s": asked.rendertime_max_s}
        return {name: value for name, value in said.items() if value}


def answer(farm: Farm, offer: Offer, granted: Assignment) -> wire.JobAnswer:
    """Write a task as a job of this wire, its archive made where it was not.

    Raises InvalidSpec where the job's project cannot be trusted.
    """
    job, spec = granted.job, granted.job.spec
    archive = ensure_archive(farm, job)
    renderer = pick(offer.renderers, spec["renderer_version"])
    uses_gpu = offer.has_gpu and spec["compute"] != Compute.CPU
    frame, extras = wire.frame_text(granted.frame), wire.write_extras(offer.visit.token, granted.lease_id)
    told = wire.Job(
        id=job.id,
        archive_md5=archive.md5,
        path=archive.main,
        frame=frame,
        renderer=wire.Renderer(renderer.md5, COMMAND_LINE),
        name=job.title,
        extras=extras,
        validation_url=_validation_url(offer, job.id, frame, extras),
        script=write_script(spec, uses_gpu=uses_gpu),
        revision=str(job.revision),
        uses_gpu=uses_gpu,
        chunks=(wire.Chunk(archive.digest, archive.md5),),
    )
    return wire.JobAnswer(wire.JobStatus.OK, stats(farm, offer.visit), told)


def stats(farm: Farm, visit: Visit) -> wire.Stats:
    """Return the figures that a client shows; credits are whole points."""
    now = standing(farm, visit.session, KIND)
    return wire.Stats(
        credits_session=now.earned_in_session // 1000,
        credits_total=now.earned_in_all // 1000,
        frame_remaining=now.tasks_open,
        waiting_project=now.jobs_running,
        connected_machine=now.machines_connected,
        renderable_project=now.jobs_with_openings,
    )


def _validation_url(offer: Offer, job_id: int, frame: str, extras: str) -> str:
    """Return where a frame is sent; with job, frame and extras in it, since clients only append to it."""
    path = wire.session_paths(offer.visit.token)[wire.Endpoint.VALIDATE_JOB]
    query = wire.write_pairs({"job": str(job_id), "frame": frame, "extras": extras})
    return f"{offer.base_url}{path}?{query}"
