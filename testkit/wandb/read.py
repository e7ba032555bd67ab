"""Reads a .wandb file with W&B's own reader and record types, and prints what it holds as JSON."""
import json
import sys

from wandb.proto import wandb_internal_pb2 as pb
from wandb.sdk.internal import datastore

store = datastore.DataStore()
store.open_for_scan(sys.argv[1])
out = {"records": 0, "rows": [], "summary": {}, "run": None, "exit": None}
while (data := store.scan_data()) is not None:
    record = pb.Record()
    record.ParseFromString(data)
    out["records"] += 1
    assert record.num == out["records"], f"record {out['records']} has the number {record.num}"
    kind = record.WhichOneof("record_type")
    if kind == "history":
        row = {item.key: json.loads(item.value_json) for item in record.history.item}
        assert row["_step"] == record.history.step.num
        out["rows"].append(row)
    elif kind == "summary":
        out["summary"].update({item.key: json.loads(item.value_json) for item in record.summary.update})
    elif kind == "run":
        r = record.run
        out["run"] = {
            "id": r.run_id, "project": r.project, "group": r.run_group, "job_type": r.job_type, "name": r.display_name,
            "tags": list(r.tags), "config": {c.key: json.loads(c.value_json) for c in r.config.update},
        }
    elif kind == "exit":
        out["exit"] = record.exit.exit_code
json.dump(out, sys.stdout)
