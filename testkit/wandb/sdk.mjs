// Logs the rows of a JSON file with W&B's own JavaScript client: node sdk.mjs ROWS.json
import { readFileSync } from "node:fs";
import wandb from "@wandb/sdk";

const { run, rows } = JSON.parse(readFileSync(process.argv[2], "utf8"));
await wandb.init({ ...run, settings: {} });
for (const row of rows) wandb.log(row);
await wandb.finish();
