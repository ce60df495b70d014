"""The invariants of a farm's rows, each a query for those that break it: in a healthy farm none does.

They hold behind retention, which clears files and keeps rows, and behind forgetting, which drops old events, leases
that came to nothing, and chores that are done. Each is a pass over its table, or a look by an index for each row.
"""

from sheepfold.model.credit import BOUND, MEASURABLE_S
from sheepfold.model.flock import FIRST_NUMBER, NUMBERS_IN_A_GENERATION
from sheepfold.store.clearing import NEEDED
from sheepfold.store.findings import Rule

LONGEST_WAIT_S = 86_400
MOST_VIRTUAL_TIME = 2**60
"""No lane comes here: ten thousand machines in ten years would not move it a quarter as far."""

RESTORE = ("Something else than the farm has changed or lost rows: put back what you know, with the server stopped, or"
           " restore the last backup that was well.")
_HOUSE = "The house sees to it within a minute; if it stays, see that a house runs."
_AGAIN = "Render the frame anew with `sheepfold job again`: what is made of it is then made, too."

# what an event tells, as long as it is remembered, is what the rows say
_STORIES = (
    Rule("a result is what its story tells",
         "the story of {task} tells of result {told}, {digest_told}, that came by {lease_told};"
         " what is there is {result}, {digest}, by {lease}",
         RESTORE, """
        SELECT e.task_id AS task, counted(e, result) AS told, told(e, digest) AS digest_told,
               counted(e, lease) AS lease_told, r.id AS result, r.digest, r.lease_id AS lease
        FROM events e LEFT JOIN results r ON r.id = counted(e, result)
        WHERE e.what = 'result submitted' AND (r.id IS NULL OR r.task_id <> e.task_id OR r.digest <> told(e, digest)
            OR r.lease_id <> counted(e, lease) OR r.machine_id <> counted(e, machine))
    """),
    Rule("a result was paid what its story tells",
         "the story of {task} tells that {result} earned {told} millipoints for {account_told};"
         " the ledger has {millipoints} for {account}",
         RESTORE, """
        SELECT e.task_id AS task, counted(e, result) AS result, counted(e, millipoints) AS told,
               counted(e, account) AS account_told, g.millipoints, g.account_id AS account
        FROM events e LEFT JOIN ledger g ON g.result_id = counted(e, result)
        WHERE e.what = 'credit earned' AND counted(e, result) IS NOT NULL
          AND (g.id IS NULL OR g.millipoints <> counted(e, millipoints) OR g.account_id <> counted(e, account))
    """),
    Rule("a lease is what its story tells",
         "the story of {task} tells of lease {told}, granted to {machine}; what is there is {lease}",
         RESTORE, """
        SELECT e.task_id AS task, counted(e, lease) AS told, counted(e, machine) AS machine, l.id AS lease
        FROM events e LEFT JOIN leases l ON l.id = counted(e, lease) LEFT JOIN jobs j ON j.id = e.job_id
        WHERE e.what = 'lease granted' AND (l.task_id <> e.task_id OR l.machine_id <> counted(e, machine)
            OR (l.id IS NULL AND j.state = 'running' AND e.at >= :remembered_since))
    """),
)  # fmt: skip

_CREDIT = (
    Rule("a valid result is paid once", "{result} is valid, and no row of the ledger pays it", RESTORE, """
        SELECT r.id AS result FROM results r LEFT JOIN ledger g ON g.result_id = r.id
        WHERE r.verdict = 'valid' AND g.id IS NULL
          AND NOT EXISTS (SELECT 1 FROM results other JOIN ledger p ON p.result_id = other.id
                          WHERE other.task_id = r.task_id AND other.machine_id = r.machine_id)
    """),
    Rule("only valid results are paid",
         "{account} was paid {millipoints} millipoints for {result}, whose verdict is {verdict}, not valid",
         RESTORE, """
        SELECT g.result_id AS result, g.account_id AS account, g.millipoints, r.verdict
        FROM ledger g LEFT JOIN results r ON r.id = g.result_id WHERE r.id IS NULL OR r.verdict <> 'valid'
    """),
    Rule("who made a picture is paid for it", "{result} is booked on {account_booked}; {account_paid} was paid",
         RESTORE, """
        SELECT g.result_id AS result, r.account_id AS account_booked, g.account_id AS account_paid
        FROM ledger g JOIN results r ON r.id = g.result_id WHERE g.account_id <> r.account_id
    """),
    Rule("the account whose job it is pays",
         "{result} is of {job}, for which {account_owner} pays; the ledger has {account_payer} pay, for {job_named}",
         RESTORE, """
        SELECT g.result_id AS result, t.job_id AS job, j.account_id AS account_owner, g.payer_id AS account_payer,
               g.job_id AS job_named
        FROM ledger g JOIN results r ON r.id = g.result_id JOIN tasks t ON t.id = r.task_id
        LEFT JOIN jobs j ON j.id = t.job_id
        WHERE g.job_id <> t.job_id OR g.payer_id <> j.account_id
    """),
    Rule("a payment knows what its task was expected to cost",
         "{result} was paid as if {cost_ms} ms had been expected; its task is expected to cost {expected_ms}",
         RESTORE, """
        SELECT g.result_id AS result, g.cost_ms, CASE WHEN t.cost_ms > 1 THEN t.cost_ms ELSE 1 END AS expected_ms
        FROM ledger g JOIN results r ON r.id = g.result_id JOIN tasks t ON t.id = r.task_id
        WHERE g.cost_ms <> CASE WHEN t.cost_ms > 1 THEN t.cost_ms ELSE 1 END
    """),
    Rule("no payment is far from what its picture was expected to cost",
         "{result} earned {millipoints} millipoints in {taken_s} s, where {cost_ms} were expected", RESTORE, f"""
        SELECT result_id AS result, millipoints, taken_s, cost_ms FROM ledger
        WHERE millipoints > cost_ms * {BOUND} OR millipoints < cost_ms / {BOUND} OR taken_s < 0
           OR (taken_s < {MEASURABLE_S} AND millipoints <> cost_ms)
    """),  # noqa: S608 -- constants
)  # fmt: skip

_TASKS_OF_JOBS = """(
    SELECT job_id, count(*) AS tasks, sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END) AS done,
           sum(CASE WHEN state IN ('failed', 'canceled') THEN 1 ELSE 0 END) AS failed,
           sum(CASE WHEN state = 'canceled' THEN 1 ELSE 0 END) AS canceled,
           sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS open
    FROM tasks GROUP BY job_id)
"""
_JOBS = (
    Rule("a job's counts are those of its tasks",
         "{job} counts {tasks_done} done and {tasks_failed} failed of {tasks_total};"
         " of its tasks {done} are done and {failed} failed of {tasks}",
         RESTORE, f"""
        SELECT * FROM (
            SELECT j.id AS job, j.tasks_total, j.tasks_done, j.tasks_failed, coalesce(c.tasks, 0) AS tasks,
                   coalesce(c.done, 0) AS done, coalesce(c.failed, 0) AS failed
            FROM jobs j LEFT JOIN {_TASKS_OF_JOBS} AS c ON c.job_id = j.id) AS counted
        WHERE tasks_total <> tasks OR tasks_done <> done OR tasks_failed <> failed
    """),  # noqa: S608 -- made of constants
    Rule("a job's state is what its tasks make it", "{job} is {state}, and by its tasks should be {wanted}",
         RESTORE, f"""
        SELECT * FROM (
            SELECT j.id AS job, j.state, CASE WHEN c.open > 0 THEN 'running' WHEN c.canceled > 0 THEN 'canceled'
                                              WHEN c.failed > 0 THEN 'failed' ELSE 'done' END AS wanted
            FROM jobs j LEFT JOIN {_TASKS_OF_JOBS} AS c ON c.job_id = j.id) AS held
        WHERE state <> wanted
    """),  # noqa: S608 -- made of constants
    Rule("what has ended says when", "{job} is {state}, and the time of its end is {ended_at}", RESTORE, """
        SELECT id AS job, state, ended_at FROM jobs WHERE (state = 'running') <> (ended_at IS NULL)
    """),
    Rule("what is cleared has ended, and is not kept for ever",
         "{job} is {state}; kept since {kept_at}, cleared at {cleared_at}, emptied at {emptied_at}", RESTORE, """
        SELECT id AS job, state, kept_at, cleared_at, emptied_at FROM jobs
        WHERE cleared_at IS NOT NULL AND (state = 'running' OR kept_at IS NOT NULL)
           OR emptied_at IS NOT NULL AND cleared_at IS NULL
    """),
    Rule("an order of screenshots is its job's", "{job} is of {account}; where it leads is noted for {account_noted}",
         RESTORE, """
        SELECT j.id AS job, j.account_id AS account, v.account_id AS account_noted
        FROM visits v JOIN jobs j ON j.id = v.job_id WHERE v.account_id <> j.account_id
    """),
)  # fmt: skip

_LANES = (
    Rule("an open task queues in its job's lane",
         "{task} queues in {lane}, of {account_lane} with priority {queued} for {needs};"
         " its job is of {account_job} with priority {priority}, a {kind}",
         "`sheepfold job priority` has a job's tasks queue anew; where that does not help, put its lane_id right.", """
        SELECT t.id AS task, l.id AS lane, l.account_id AS account_lane, l.priority AS queued, n.canonical AS needs,
               j.account_id AS account_job, j.priority, j.kind
        FROM tasks t JOIN jobs j ON j.id = t.job_id
        JOIN lanes l ON l.id = t.lane_id LEFT JOIN needs n ON n.id = l.needs_id
        WHERE t.state = 'open' AND (l.account_id <> j.account_id OR l.priority <> j.priority
                                    OR n.canonical NOT LIKE '%"kind":"' || j.kind || '"%')
    """),
    Rule("a lane with an opening is awake", "{lane} of {account} sleeps, though tasks of it wait for machines",
         _HOUSE, """
        SELECT l.id AS lane, l.account_id AS account FROM lanes l
        WHERE l.drained_at IS NOT NULL
          AND EXISTS (SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id
                      WHERE t.lane_id = l.id AND t.openings > 0 AND j.account_id = l.account_id
                        AND j.priority = l.priority)
    """),
    Rule("no lane is behind all others for ever",
         f"{{lane}} of {{account}} has come to {{virtual_time}}; none comes to {MOST_VIRTUAL_TIME}",
         "With the server stopped, set its virtual_time to that of another lane.", f"""
        SELECT id AS lane, account_id AS account, virtual_time FROM lanes
        WHERE virtual_time < 0 OR virtual_time >= {MOST_VIRTUAL_TIME}
    """),  # noqa: S608 -- a constant
)  # fmt: skip

_TASKS = (
    Rule("what has ended says when", "{task} is {state}, and the time of its end is {ended_at}", RESTORE, """
        SELECT id AS task, state, ended_at FROM tasks WHERE (state = 'open') <> (ended_at IS NULL)
    """),
    Rule("a task was opened anew after leases that there were", "{task} was opened anew after lease {past_lease},"
         " and the newest lease of all is {newest}", RESTORE, """
        SELECT t.id AS task, t.past_lease, (SELECT coalesce(max(id), 0) FROM leases) AS newest FROM tasks t
        WHERE t.past_lease > (SELECT coalesce(max(id), 0) FROM leases) OR t.past_lease < 0
    """),
    Rule("a frame of a flame has its genome", "{task} names no genome to be rendered from",
         "Cancel the job and order it anew.", """
        SELECT t.id AS task FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE j.kind = 'flame' AND t.input IS NULL
    """),
    Rule("a done task has its preview, or one that waits to be made",
         "{task} is done, and neither has a preview nor waits for one", _AGAIN, """
        SELECT t.id AS task FROM tasks t JOIN jobs j ON j.id = t.job_id
        WHERE t.state = 'done' AND j.cleared_at IS NULL AND NOT EXISTS (SELECT 1 FROM previews p WHERE p.task_id = t.id)
          AND t.id NOT IN (SELECT c.task_id FROM chores c
                           WHERE c.what = 'preview' AND c.state <> 'done' AND c.task_id IS NOT NULL)
    """),
    Rule("a done job was made into something, or waits to be",
         "{job} is done, and neither has a film nor any other product, nor waits for one", _AGAIN, """
        SELECT j.id AS job FROM jobs j
        WHERE j.state = 'done' AND j.cleared_at IS NULL AND NOT EXISTS (SELECT 1 FROM products p WHERE p.job_id = j.id)
          AND j.id NOT IN (SELECT c.job_id FROM chores c WHERE c.what = 'assemble' AND c.state <> 'done')
    """),
)  # fmt: skip

_LEASES = (
    Rule("what has ended says when", "{lease} is {state}, and the time of its end is {ended_at}", RESTORE, """
        SELECT id AS lease, state, ended_at FROM leases WHERE (state = 'active') <> (ended_at IS NULL)
    """),
    Rule("a result is its lease's", "{result}, booked on {account}, names {lease}, booked on {account_lease}",
         RESTORE, """
        SELECT r.id AS result, r.account_id AS account, l.id AS lease, l.account_id AS account_lease
        FROM results r JOIN leases l ON l.id = r.lease_id
        WHERE l.task_id <> r.task_id OR l.machine_id <> r.machine_id OR l.account_id <> r.account_id
    """),
    Rule("a lease is submitted exactly when a result came for it", "{lease} is {state}, though {result} came for it",
         RESTORE, """
        SELECT l.id AS lease, l.state, r.id AS result FROM results r JOIN leases l ON l.id = r.lease_id
        WHERE l.state <> 'submitted'
    """),
    Rule("a lease is submitted exactly when a result came for it", "{lease} is submitted, and no result names it",
         RESTORE, """
        SELECT l.id AS lease FROM leases l
        WHERE l.state = 'submitted' AND NOT EXISTS (SELECT 1 FROM results r WHERE r.lease_id = l.id)
    """),
    Rule("a result is like the first of its task that shows the same", "{result} is told to be like result {like},"
         " which is no first one of its task", RESTORE, """
        SELECT r.id AS result, r.like_id AS "like" FROM results r
        LEFT JOIN results f ON f.id = r.like_id AND f.task_id = r.task_id AND f.like_id IS NULL AND f.id < r.id
        WHERE r.like_id IS NOT NULL AND f.id IS NULL
    """),
    Rule("a lease is its session's", "{lease}, booked on {account}, over {protocol}, was granted in a session of"
         " {machine_session}, booked on {account_session}, over {protocol_session}", RESTORE, """
        SELECT l.id AS lease, l.account_id AS account, l.protocol, s.machine_id AS machine_session,
               s.account_id AS account_session, s.protocol AS protocol_session
        FROM leases l JOIN sessions s ON s.id = l.session_id
        WHERE l.machine_id <> s.machine_id OR l.account_id <> s.account_id OR l.protocol <> s.protocol
    """),
    Rule("no lease is active long after its deadline", "{lease} ran out {late} s ago and is active still", _HOUSE, """
        SELECT l.id AS lease, :now - l.deadline_at AS late FROM leases l
        WHERE l.state = 'active' AND l.deadline_at < :now - 60
    """),
    Rule("no lease lasts longer than any wire grants", "{lease} lasts for {left} s from now on",
         "It was granted while the clock was wrong, or by other settings: it ends then, or with its job by"
         " `sheepfold job cancel`; or put its deadline_at right.", """
        SELECT l.id AS lease, l.deadline_at - :now AS left FROM leases l
        WHERE l.state = 'active' AND l.deadline_at > :now + :longest_lease_s
    """),
    Rule("a screenshot that a factory sent has its name",
         "{result} came over Browsershots' wire, and its pages know nothing of it",
         "Its picture is on its job's page; render the frame anew with `sheepfold job again` to have a named one.", """
        SELECT r.id AS result FROM results r JOIN leases l ON l.id = r.lease_id
        LEFT JOIN screenshots s ON s.result_id = r.id
        WHERE l.protocol = 'browsershots' AND s.hashkey IS NULL
    """),
    Rule("a key opens something", "{key} of {machine} has nothing left that it could be told by",
         "Revoke it with `sheepfold key revoke`, and make its machine a new one.", """
        SELECT k.id AS "key", k.machine_id AS machine FROM machine_keys k
        WHERE k.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM key_verifiers v WHERE v.key_id = k.id)
    """),
)  # fmt: skip

_PEOPLE_AND_SHEEP = (
    Rule("a farm keeps an owner", "{account} is an owner's and is closed, as are those of all owners",
         "`sheepfold account add NAME --role owner --data FOLDER` makes another owner, who may reopen it.", """
        SELECT a.id AS account FROM accounts a
        WHERE a.role = 'owner'
          AND NOT EXISTS (SELECT 1 FROM accounts o LEFT JOIN people p ON p.account_id = o.id
                          WHERE o.role = 'owner' AND p.closed_at IS NULL)
    """),
    Rule("a sheep has numbers that its clients count",
         f"{{job}} is sheep {{number}} of generation {{generation}}, from {{first}} to {{last}};"
         f" clients know {FIRST_NUMBER} to {NUMBERS_IN_A_GENERATION - 1}",
         RESTORE, f"""
        SELECT job_id AS job, generation, number, first, last FROM sheep
        WHERE number < {FIRST_NUMBER} OR number >= {NUMBERS_IN_A_GENERATION}
           OR first < {FIRST_NUMBER} OR first >= {NUMBERS_IN_A_GENERATION}
           OR last < {FIRST_NUMBER} OR last >= {NUMBERS_IN_A_GENERATION}
    """),  # noqa: S608 -- constants
)  # fmt: skip

_FILES_AND_CHORES = (
    Rule("no file that is needed is cleared", "{blob} is marked as cleared, and is needed",
         "Copy the file from a backup back to where it lay and set its cleared_at to null; or render its frame anew, or"
         " where it is an input order its job again with the same files.",
         f"""
        SELECT b.digest AS blob FROM blobs b WHERE b.cleared_at IS NOT NULL AND ({NEEDED})
    """, by_indexes=True),  # noqa: S608 -- made of constants
    Rule("a file's MD5 is one, or none", "{blob} has {md5}, which is no MD5",
         "Set its md5 to that of the file, in small hex digits.", """
        SELECT digest AS blob, md5 FROM blobs WHERE length(md5) NOT IN (0, 32) OR md5 <> lower(md5)
    """),
    Rule("no chore was given up", "chore {chore} ({what} of {job}): {reason}",
         "See to what it says, then `sheepfold job remake` has it tried once more.", """
        SELECT c.id AS chore, c.what, c.job_id AS job, c.reason FROM chores c WHERE c.state = 'failed'
    """),
    Rule("no chore waits for a day", "chore {chore} ({what} of {job})",
         "See that a house runs, that there is room on its disk, and that the store of files answers.", f"""
        SELECT c.id AS chore, c.what, c.job_id AS job
        FROM chores c WHERE c.state = 'queued' AND c.queued_at < :now - {LONGEST_WAIT_S}
    """),  # noqa: S608 -- a constant
)  # fmt: skip

RULES = (*_CREDIT, *_JOBS, *_LANES, *_TASKS, *_LEASES, *_PEOPLE_AND_SHEEP, *_FILES_AND_CHORES, *_STORIES)
