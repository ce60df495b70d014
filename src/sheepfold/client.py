"""The Python client of a farm: order pictures, watch them being made, fetch them, and all else that its pages can do.

Ask what an order would cost, make it, wait for it, and fetch the films:

```python
from pathlib import Path

from sheepfold.client import FarmClient

genome = {"genome": Path("coral.flam3")}
with FarmClient("http://localhost:8470", key="0123…") as farm:
    print(farm.appraise("flame", {"frames": 160}, genome).millipoints / 1000, "points")
    order = farm.order("flame", {"frames": 160}, genome, title="Coral", on_sent=lambda sent, total: print(sent, total))
    farm.wait(order.id, lambda job: print(job.tasks_done, "of", job.tasks_total))
    for path in farm.download(order.id, Path("films")):
        print(path)
```

Follow what happens, and go on after the last event that is known:

```python
from itertools import islice

from sheepfold.client import FarmClient

with FarmClient("http://localhost:8470", key="0123…") as farm:
    for event in islice(farm.events(after=0), 3):
        print(event.id, event.what, event.job)
```

Lists come page by page; `every` walks all pages:

```python
from sheepfold.client import FarmClient

with FarmClient("http://localhost:8470", key="0123…") as farm:
    for job in farm.every(farm.jobs, mine=True):
        print(job.id, job.title, job.state)
```

Whatever a farm refuses is an exception with its sentence:

```python
from sheepfold.client import FarmClient, FarmProblem, FarmRefused

with FarmClient("http://localhost:8470", key="0123…") as farm:
    try:
        farm.cancel(999_999)
    except FarmProblem as problem:
        print(problem.status, problem)
    try:
        farm.add_key("laptop")
    except FarmRefused as refusal:
        print(refusal)
```

A key that orders (`sheepfold key add ann desk`) opens jobs, teams and webhooks; what changes an account, its keys or
the farm wants one with the scope `manage`.
"""

from sheepfold.model.jobs import Terms
from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient

__all__ = ["FarmClient", "FarmProblem", "FarmRefused", "FarmUnreachable", "Terms"]
