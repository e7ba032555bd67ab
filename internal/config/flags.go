package config

import (
	"github.com/spf13/pflag"

	"templar/internal/telemetry"
)

// flagKeys returns the flags of a role, each with the key that it sets. An aggregator has
// no model, no dataset and no bucket of its own, and so none of their flags; an evaluator
// gathers nothing, and only its own bucket is for results.
func flagKeys(role telemetry.Role) map[string]string {
	keys := map[string]string{
		"name": "name", "data-dir": "data_dir", "run": "run",
		"wallet.path": "wallet.path", "wallet.name": "wallet.name", "wallet.hotkey": "wallet.hotkey",
		"netuid": "chain.netuid", "subtensor.network": "chain.network", "subtensor.chain_endpoint": "chain.endpoint",
		"chain.verify": "chain.verify", "chain.backend": "chain.backend", "chain.state": "chain.state",
		"peers": "options.peers", "windows": "options.windows", "test": "options.test",
		"store-gathers": "options.store_gathers", "keep-gathers": "options.keep_gathers",
		"admin": "admin.address", "admin.hosts": "admin.hosts", "pprof": "admin.profile",
		"wandb": "telemetry.wandb.mode", "project": "telemetry.wandb.project", "wandb.entity": "telemetry.wandb.entity", "wandb.group": "telemetry.wandb.group", "otlp": "telemetry.otlp.url",
	}
	if role == telemetry.Evaluator {
		for _, gathering := range []string{"peers", "test", "store-gathers", "keep-gathers"} {
			delete(keys, gathering)
		}
		keys["every"], keys["batches"], keys["tokenizer"] = "options.every", "options.batches", "options.tokenizer"
		keys["tasks"], keys["tasks-every"], keys["limit"], keys["mmlu-shots"] = "options.tasks", "options.tasks_every", "options.task_limit", "options.mmlu_shots"
	}
	if role != telemetry.Aggregator {
		keys["device"], keys["threads"], keys["blas"] = "options.device", "options.threads", "options.blas"
		keys["memory"], keys["precision"] = "options.memory", "options.precision"
	}
	if role == telemetry.Miner {
		keys["batches"] = "options.batches"
	}
	if role == telemetry.Validator {
		keys["theta-0"] = "options.theta_0"
	}
	for _, f := range bucketFlags(role) {
		keys[f.key] = f.key
	}
	return keys
}

type bucketFlag struct{ key, usage string }

// bucketFlags are the flags that say where the buckets are, named like the keys of the
// file. There are none for secrets: a command line is everybody's to read.
func bucketFlags(role telemetry.Role) (out []bucketFlag) {
	for _, b := range []struct {
		name, what string
		keys       []bucketFlag
	}{
		{"gradients", "own bucket", []bucketFlag{{"read", "id of the key that peers read with"}, {"write", "id of the key that this node writes with"}}},
		{"results", "bucket for results", []bucketFlag{{"read", "id of the key that others read with"}, {"write", "id of the key that this node writes with"}}},
		{"dataset", "dataset bucket", []bucketFlag{{"key", "id of the key that reads"}}},
		{"aggregator", "aggregator bucket", []bucketFlag{{"key", "id of the key; only an aggregator's writes"}}},
	} {
		if (role == telemetry.Aggregator && b.name != "aggregator") || (role == telemetry.Evaluator && b.name == "gradients") || (role != telemetry.Evaluator && b.name == "results") {
			continue
		}
		at := "buckets." + b.name + "."
		out = append(out, bucketFlag{at + "account_id", b.what + ": account of Cloudflare R2, stands for its endpoint"},
			bucketFlag{at + "endpoint", b.what + ": http(s)://host[:port], or file:///directory"},
			bucketFlag{at + "region", b.what + ": region (default auto)"}, bucketFlag{at + "name", b.what + ": name"})
		for _, k := range b.keys {
			out = append(out, bucketFlag{at + k.key + ".id", b.what + ": " + k.usage})
		}
	}
	return out
}

// WalletFlags adds the flags that name a hotkey.
func WalletFlags(f *pflag.FlagSet) {
	d := Default().Wallet
	f.String("wallet.path", d.Path, "folder of the wallets")
	f.String("wallet.name", d.Name, "wallet")
	f.String("wallet.hotkey", d.Hotkey, "hotkey of the wallet")
}

// ChainFlags adds the flags that say where the chain is.
func ChainFlags(f *pflag.FlagSet) {
	f.Uint16("netuid", Default().Chain.NetUID, "subnet")
	f.String("subtensor.network", "", "network: finney, test, archive or local, or a URL")
	f.String("subtensor.chain_endpoint", "", "URL of a chain node's RPC: http://host:port, or ws:// and wss:// of Bittensor's, with commas between several")
	f.String("chain.backend", "", "kind of the chain: cometbft or bittensor (default by the endpoint)")
	f.String("chain.state", "", "folder for what the chain's client must not lose (default in the data directory)")
	f.String("chain.verify", "", "hash of the chain's genesis: check all that the endpoint says (default believe it)")
}

// RoleFlags adds every flag that Load knows for a role.
func RoleFlags(f *pflag.FlagSet, role telemetry.Role) {
	d := Default()
	WalletFlags(f)
	ChainFlags(f)
	f.String("name", "", "name in logs (default role and uid)")
	f.String("data-dir", d.DataDir, "folder of the node's own state")
	f.String("run", "", "file with the run parameters, from the run's owner")
	if role != telemetry.Aggregator {
		f.String("device", d.Options.Device, "device to compute on: cpu, cuda, cuda:N, cuda:all or plugin:PATH")
		f.String("precision", "", "matrix products of a GPU: float32 or bf16 (default bf16)")
		f.Int("threads", 0, "threads to compute with (default all cores)")
		f.String("blas", "", "what multiplies matrices: builtin, openblas or auto (default builtin)")
		f.String("memory", "", "memory that the process may use, like 24GiB: batches are cut to fit (default nine tenths of the machine's)")
	}
	f.Uint64("windows", 0, "windows to take part in, counted from the run's start (default no end)")
	if role == telemetry.Miner {
		f.Int("batches", 0, "batches to train on in a window at most (default until the pages or the window end)")
	}
	if role == telemetry.Validator {
		f.String("theta-0", "", "folder of the imported model that the run begins with, to serve it to all nodes")
	}
	if role == telemetry.Evaluator {
		f.Uint64("every", 0, "windows from one measurement to the next (default 1)")
		f.Int("batches", 0, "batches of held-out text to measure each time (default 8)")
		f.String("tokenizer", "", "tokenizer.json of the dataset, to count bytes and encode tasks (not needed for a dataset of bytes)")
		f.String("tasks", "", "multiple-choice tasks: NAME=FILE with commas between, or a folder (see \"templar eval --help\")")
		f.Uint64("tasks-every", 0, "windows from one measurement of tasks to the next (default checkpoint_frequency)")
		f.Int("limit", 0, "documents of each task, and of each subject of mmlu: the first ones (default all)")
		f.Int("mmlu-shots", 0, "worked examples before each question of mmlu, 0 to 5")
	} else {
		f.String("peers", "", "gather from these uids only: 1,2,3")
		f.Bool("test", false, "use all peers, without the lead validator's selection")
		f.Bool("store-gathers", false, "keep gathered gradients in the data directory")
		f.Uint64("keep-gathers", 0, "windows to keep them for (default the run's payload_windows)")
	}
	f.String("admin", d.Admin.Address, "address of the admin server (metrics, health, status, page), or off")
	f.String("admin.hosts", "", "names of the admin server besides localhost and its address: a,b")
	f.Bool("pprof", false, "serve profiles on the admin server")
	f.String("wandb", "", "Weights & Biases: online, offline or off (default online when WANDB_API_KEY is set)")
	f.String("project", "", "project there (default templar)")
	f.String("wandb.entity", "", "entity there (default that of the key)")
	f.String("wandb.group", "", "group of runs there (default by role)")
	f.String("otlp", "", "collector of OpenTelemetry to send traces to, like http://127.0.0.1:4318")
	for _, b := range bucketFlags(role) {
		f.String(b.key, "", b.usage)
	}
}
