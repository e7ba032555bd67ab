package localnet

import (
	"fmt"
	"strconv"
	"strings"

	"templar/internal/memory"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

// share is the memory of each node, by its name, within the budget of the process. A network that
// does not fit is refused, with what it needs.
func (o *Options) share(p protocol.Params, members []member) (map[string]int64, error) {
	budget := memory.Budget(o.Memory)
	r, err := run.New(p, o.Backends.Methods)
	if err != nil || budget == 0 {
		return nil, err
	}
	least, most := make([]int64, len(members)), make([]int64, len(members))
	var needed, wanted int64
	each := map[telemetry.Role]int64{}
	for i, m := range members {
		needs, err := o.Backends.Memory(m.role, r, o.device(m), o.threads(m.role))
		if err != nil {
			return nil, err
		}
		least[i], most[i] = needs.Least, needs.Most
		needed, wanted = needed+least[i], wanted+most[i]
		each[m.role] = least[i]
	}
	if needed > budget {
		var words []string
		for _, role := range []telemetry.Role{telemetry.Miner, telemetry.Validator, telemetry.Aggregator, telemetry.Evaluator} {
			if each[role] > 0 {
				words = append(words, fmt.Sprintf("each %s %s", role, memory.Format(each[role])))
			}
		}
		return nil, fmt.Errorf("memory: %d nodes of the preset %s need %s (%s), and this process may use %s: take fewer --miners and --validators, a smaller --preset, or a larger --memory",
			len(members), o.Preset, memory.Format(needed), strings.Join(words, ", "), memory.Format(budget))
	}
	shares := make(map[string]int64)
	for i, m := range members {
		shares[m.name] = least[i]
		if spare := budget - needed; wanted > needed {
			shares[m.name] += int64(float64(most[i]-least[i]) * min(1, float64(spare)/float64(wanted-needed)))
		}
	}
	return shares, nil
}

// setMemory sets what the configuration of a node may use.
func setMemory(shares map[string]int64, name string) string {
	if shares[name] == 0 {
		return ""
	}
	return strconv.FormatInt(shares[name], 10)
}
