package config

import (
	"path/filepath"
	"strings"

	"templar/internal/telemetry"
)

// Sniff reports whether a file is a node's configuration, and of which role: by the first line that Template
// writes, else by the node's name or the file's. A role that neither says is empty.
func Sniff(path string) (role telemetry.Role, is bool) {
	values, err := readFile(path)
	if err != nil {
		return "", false
	}
	for key := range values {
		section, _, _ := strings.Cut(key, ".")
		is = is || (section != key && (section == "wallet" || section == "chain" || section == "buckets"))
	}
	if !is {
		return "", false
	}
	var head string
	if b, err := readBytes(path); err == nil {
		head, _, _ = strings.Cut(string(b), "\n")
	}
	name, _ := values["name"].(string)
	for _, r := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator} {
		if strings.HasPrefix(head, templateHead(r)) {
			return r, true
		}
		if role == "" && (strings.HasPrefix(name, string(r)) || strings.HasPrefix(filepath.Base(path), string(r))) {
			role = r
		}
	}
	return role, true
}
