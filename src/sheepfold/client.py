"""The Python client of a farm: order pictures, watch them being made, fetch them.

```python
from pathlib import Path

from sheepfold.client import FarmClient

with FarmClient("http://localhost:8470", key="0123…") as farm:
    order = farm.order("flame", {"frames": 160}, {"genome": Path("coral.flam3")}, title="Coral")
    farm.wait(order.id, lambda job: print(job.tasks_done, "of", job.tasks_total))
    for path in farm.download(order.id, Path("films")):
        print(path)
```
"""

from sheepfold.model.jobs import Terms
from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient

__all__ = ["FarmClient", "FarmProblem", "FarmRefused", "FarmUnreachable", "Terms"]
