package config

import (
	"fmt"
	"strings"

	"templar/internal/telemetry"
)

// variables returns the environment variables that a role reads, each with the key
// that it sets. They are the Python original's, those of OpenTelemetry for a collector, and a few
// of our own: the R2_*_ENDPOINT of stores that are not R2, and TEMPLAR_*.
//
// The original knows two keys of each bucket. The dataset is read only; the aggregator
// bucket is written by the aggregator and read by everybody else. A variable that the role
// has no use for sets nothing ("").
func variables(role telemetry.Role) map[string]string {
	v := map[string]string{
		"WALLET_NAME": "wallet.name", "WALLET_HOTKEY": "wallet.hotkey",
		"NETWORK": "chain.network", "NETUID": "chain.netuid", "CUDA_DEVICE": "options.device",
		"TEMPLAR_CHAIN_ENDPOINT": "chain.endpoint", "TEMPLAR_CHAIN_VERIFY": "chain.verify", "TEMPLAR_CHAIN_BACKEND": "chain.backend", "TEMPLAR_DATA_DIR": "data_dir", "TEMPLAR_RUN": "run", "TEMPLAR_ADMIN": "admin.address",
		"INFLUXDB_HOST": "telemetry.influxdb.host", "INFLUXDB_PORT": "telemetry.influxdb.port", "INFLUXDB_DATABASE": "telemetry.influxdb.database",
		"INFLUXDB_ORG": "telemetry.influxdb.org", "INFLUXDB_TOKEN": "telemetry.influxdb.token", "LOKI_URL": "telemetry.loki.url", "INFLUXDB_API": "telemetry.influxdb.api", "INFLUXDB_USER": "telemetry.influxdb.user",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "telemetry.otlp.url", "OTEL_EXPORTER_OTLP_HEADERS": "telemetry.otlp.headers",
		"WANDB_API_KEY": "telemetry.wandb.key", "WANDB_MODE": "telemetry.wandb.mode", "WANDB_BASE_URL": "telemetry.wandb.url", "WANDB_ENTITY": "telemetry.wandb.entity",
		"WANDB_PROJECT": "telemetry.wandb.project", "WANDB_RUN_GROUP": "telemetry.wandb.group", "WANDB_JOB_TYPE": "telemetry.wandb.job_type",
		"WANDB_NAME": "telemetry.wandb.name", "WANDB_RUN_ID": "telemetry.wandb.run_id",
	}
	bucket := func(name, read, write string) {
		env, key := "R2_"+strings.ToUpper(name)+"_", "buckets."+name+"."
		v[env+"ACCOUNT_ID"], v[env+"BUCKET_NAME"], v[env+"ENDPOINT"] = key+"account_id", key+"name", key+"endpoint"
		for kind, field := range map[string]string{"READ": read, "WRITE": write} {
			id, secret := env+kind+"_ACCESS_KEY_ID", env+kind+"_SECRET_ACCESS_KEY"
			v[id], v[secret] = "", ""
			if field != "" {
				v[id], v[secret] = key+field+".id", key+field+".secret"
			}
		}
	}
	if role == telemetry.Evaluator {
		bucket("gradients", "", "")
	} else {
		bucket("gradients", "read", "write")
	}
	bucket("dataset", "key", "")
	if role == telemetry.Aggregator {
		v["CUDA_DEVICE"] = ""
		bucket("aggregator", "", "key")
	} else {
		bucket("aggregator", "key", "")
	}
	return v
}

// review looks at the variables that set nothing.
func review(environ []string, known map[string]string) (warnings []string) {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		_, ours := known[name]
		switch {
		case value == "" || ours || name == bucketList:
		case strings.HasPrefix(name, "R2_"):
			warnings = append(warnings, strangeVariable(name, known))
		}
	}
	return warnings
}

func strangeVariable(name string, known map[string]string) string {
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	if near := Nearest(name, names); near != "" {
		return fmt.Sprintf("%s ignored: no such setting, did you mean %s?", name, near)
	}
	return name + " ignored: no such setting"
}
