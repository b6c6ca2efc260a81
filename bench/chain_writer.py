"""Write intents and outcomes as fast as one worker's audit writer can, with its maintenance beside it.

A process of its own, for `bench.scale`: its first line of input is the list of workspaces, each further one a number
of seconds to write for; it answers each with a line. The database and the keys are in its environment.
"""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import replace

import django

CALLERS = 16


async def _delete(writer: object, org_id: str, until: float) -> int:
    from mcpbridge.audit.writer import AuditWriter
    from tests.call_records import OWNER, SUCCEEDED, a_call

    assert isinstance(writer, AuditWriter)
    deletions, identity = 0, replace(OWNER, org_id=org_id)
    snapshot = {"id": "entry", "orgId": org_id, "durationSeconds": 5400, "note": "Glöbex"}
    while time.monotonic() < until:
        call = a_call(identity=identity, target_id=f"entry-{deletions}", target_label="Glöbex")
        await writer.intent(call, snapshot=snapshot)
        await writer.outcome(call, SUCCEEDED)
        deletions += 1
    return deletions


async def _write(workspaces: list[str]) -> None:
    from mcpbridge.audit.writer import AuditWriter
    from mcpbridge.maintenance import MaintenanceThread

    writer = AuditWriter(timeout_s=30.0, lock_path=None)
    maintenance = MaintenanceThread(writer, lock_path=None)
    writer.start()
    maintenance.start()
    print("{}", flush=True)
    while seconds := (await asyncio.to_thread(sys.stdin.readline)).strip():
        began, cpu = time.monotonic(), time.process_time()
        turns = itertools.islice(itertools.cycle(workspaces), CALLERS)
        done = await asyncio.gather(*(_delete(writer, org_id, began + float(seconds)) for org_id in turns))
        took = time.monotonic() - began
        print(json.dumps({"deletions": sum(done), "took_s": took, "cpu_s": time.process_time() - cpu}), flush=True)
    await maintenance.stop()
    await writer.stop()


if __name__ == "__main__":
    django.setup()
    asyncio.run(_write(json.loads(sys.stdin.readline())))
