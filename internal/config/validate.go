package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/telemetry/influx"
	"templar/internal/telemetry/otlp"
	"templar/internal/userfile"
	"templar/protocol"
)

// Validate reports every fault that would keep the role from starting, each with what
// to set. It looks at no file and no network. The names of back ends are
// held against those of the program.
func (n *Node) Validate(role telemetry.Role, b Build) error {
	v := validator{role: role, build: b}
	v.need("data_dir", n.DataDir)
	v.need("run", n.Run)
	v.need("wallet.path", n.Wallet.Path)
	v.need("wallet.name", n.Wallet.Name)
	v.need("wallet.hotkey", n.Wallet.Hotkey)
	v.chain(n.Chain)
	v.telemetry(n.Telemetry)
	v.admin(n.Admin)
	v.bucket("buckets.aggregator", n.Buckets.Aggregator)
	if role != telemetry.Aggregator {
		v.engine(n.Options)
		v.bucket("buckets.dataset", n.Buckets.Dataset)
		for i, m := range n.Buckets.Mirrors {
			v.bucket(fmt.Sprintf("%s[%d]", mirrorsKey, i), m)
		}
		if role != telemetry.Evaluator {
			v.ownBucket("buckets.gradients", n.Buckets.Gradients)
		} else if n.Buckets.Results != (OwnBucket{}) {
			v.ownBucket("buckets.results", n.Buckets.Results)
		}
	}
	return errors.Join(v.faults...)
}

// ValidateReading reports every fault that would keep a run from being read: of the run
// parameters, the chain, the aggregator bucket and the dataset, if there is one.
func (n *Node) ValidateReading(b Build) error {
	v := validator{role: telemetry.Evaluator, build: b}
	v.need("run", n.Run)
	v.chain(n.Chain)
	v.bucket("buckets.aggregator", n.Buckets.Aggregator)
	if n.Buckets.Dataset != (Bucket{}) {
		v.bucket("buckets.dataset", n.Buckets.Dataset)
		for i, m := range n.Buckets.Mirrors {
			v.bucket(fmt.Sprintf("%s[%d]", mirrorsKey, i), m)
		}
	}
	return errors.Join(v.faults...)
}

// Build is what a configuration can choose from: the names of the program's back ends.
type Build struct{ Chains, Devices []string }

type validator struct {
	role   telemetry.Role
	build  Build
	faults []error
}

// has holds the name of a back end, which may be empty, against those of the build.
func (v *validator) has(key, name string, names []string) {
	if name != "" && !slices.Contains(names, name) {
		v.fault(key, "%q is not in this build (it has: %s)", name, strings.Join(names, ", "))
	}
}

func (v *validator) fault(key, format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("%s: %s: set %s", key, fmt.Sprintf(format, args...), v.how(key)))
}

// how names the ways to set a key. An account or a network stands for its endpoint.
func (v *validator) how(key string) string {
	sets := func(k string) bool {
		place, ok := strings.CutSuffix(key, "endpoint")
		return k == key || ok && (k == place+"account_id" || k == place+"network")
	}
	var flags, env []string
	for name, k := range flagKeys(v.role) {
		if sets(k) {
			flags = append(flags, "--"+name)
		}
	}
	for name, k := range variables(v.role) {
		if sets(k) {
			env = append(env, name)
		}
	}
	if strings.HasPrefix(key, mirrorsKey) {
		env = append(env, bucketList)
	}
	slices.Sort(flags)
	slices.Sort(env)
	return strings.Join(append(append(flags, env...), key+" in the configuration file"), ", ")
}

// need reports whether the value is there.
func (v *validator) need(key, value string) bool {
	if value == "" {
		v.fault(key, "missing")
	}
	return value != ""
}

func (v *validator) url(key, value string) {
	if !isServer(value) {
		v.fault(key, "want http(s)://host[:port]") // a URL may hold a password: not quoted
	}
}

func isServer(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || !goodPort(u.Port()) {
		return false
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.Unmap().IsUnspecified() {
		return false // where a server may listen, and no client can reach it
	}
	return u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == ""
}

// goodPort tells whether a URL's port, if it has one, can be connected to.
func goodPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func (v *validator) chain(c Chain) {
	v.has("chain.backend", c.Kind(), v.build.Chains)
	switch {
	case c.Endpoint == "" && c.Network != "":
		v.fault("chain.endpoint", "network %q is not one that this build can join (it has: %s)", c.Network, strings.Join(Networks(), ", "))
	case !v.need("chain.endpoint", c.Endpoint):
	case c.Kind() == Bittensor:
		for _, e := range c.Endpoints() {
			if u, err := url.Parse(e); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
				v.fault("chain.endpoint", "want ws:// or wss:// URLs, with commas between them") // which may hold a key: not quoted
			}
		}
	default:
		for _, e := range c.Endpoints() {
			v.url("chain.endpoint", e)
		}
	}
	if _, err := c.Genesis(); err != nil {
		v.fault("chain.verify", "%v", err)
	}
}

func (v *validator) engine(o Options) {
	if name := DeviceName(o.Device); name != "" && !slices.Contains(v.build.Devices, name) {
		v.has("options.device", o.Device, v.build.Devices)
	}
	if !slices.Contains([]string{"", "float32", "bf16"}, o.Precision) {
		v.fault("options.precision", "%q is none of float32, bf16", o.Precision)
	}
	if o.Threads < 0 {
		v.fault("options.threads", "must not be negative")
	}
	if _, err := userfile.Size(o.Memory); err != nil {
		v.fault("options.memory", "%v", err)
	}
	if o.TaskLimit < 0 {
		v.fault("options.task_limit", "must not be negative")
	}
	if o.MMLUShots < 0 || o.MMLUShots > 5 {
		v.fault("options.mmlu_shots", "want 0 to 5")
	}
	if o.Batches < 0 {
		v.fault("options.batches", "must not be negative")
	}
	if !slices.Contains([]string{"", "builtin", "openblas", "auto"}, o.BLAS) {
		v.fault("options.blas", "%q is none of builtin, openblas, auto", o.BLAS)
	}
}

func (v *validator) telemetry(t Telemetry) {
	w := t.WandB
	if !slices.Contains([]string{"", WandBOnline, WandBOffline, WandBOff, "disabled"}, w.Mode) {
		v.fault("telemetry.wandb.mode", "want online, offline or off")
	}
	if w.Mode == WandBOnline {
		v.need("telemetry.wandb.key", w.Key.Reveal())
	}
	if w.URL != "" {
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			v.fault("telemetry.wandb.url", "want http(s)://host[:port]") // which may hold a password: not quoted
		}
	}
	if strings.ContainsAny(w.RunID, "/\\#?%:;,'") || len(w.RunID) > 128 {
		v.fault("telemetry.wandb.run_id", "want letters, digits, - and _")
	}
	if strings.ContainsAny(w.Project, "/\\#?%:") || len(w.Project) > 128 {
		v.fault("telemetry.wandb.project", "want up to 128 characters without /\\#?%%:")
	}
	if i := t.InfluxDB; i.Host != "" {
		if !isServer(i.Server().URL) {
			v.fault("telemetry.influxdb.host", "want [http(s)://]host[:port]")
		}
		if !slices.Contains([]string{"", influx.V1, influx.V2, influx.V3}, i.API) {
			v.fault("telemetry.influxdb.api", "want v1, v2 or v3")
		}
		if i.API != influx.V1 { // which may be open to all
			v.need("telemetry.influxdb.token", i.Token.Reveal())
		}
	}
	if address := t.Loki.URL.Reveal(); address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			v.fault("telemetry.loki.url", "want http(s)://[user:password@]host[:port][/path]")
		}
	}
	if o := t.OTLP; o.URL != "" {
		if err := otlp.CheckURL(o.URL); err != nil {
			v.fault("telemetry.otlp.url", "%v", err)
		}
		if err := otlp.CheckHeaders(o.Headers.Reveal()); err != nil {
			v.fault("telemetry.otlp.headers", "%v", err)
		}
	}
}

func (v *validator) admin(a Admin) {
	if a.Address == AdminOff {
		return
	}
	if _, port, err := net.SplitHostPort(a.Address); err != nil || port == "" {
		v.fault("admin.address", "want host:port, or off")
	}
}

func (v *validator) bucket(key string, b Bucket) {
	v.place(key, b.AccountID, b.Endpoint, b.Name)
	if _, local := protocol.LocalStore(b.Endpoint); !local { // a directory has no keys
		v.credential(key+".key", b.Key)
	}
}

func (v *validator) ownBucket(key string, b OwnBucket) {
	v.place(key, b.AccountID, b.Endpoint, b.Name)
	if _, local := protocol.LocalStore(b.Endpoint); local {
		return
	}
	v.credential(key+".read", b.Read)
	v.credential(key+".write", b.Write)
	if b.Read == b.Write && b.Write.ID != "" {
		v.fault(key+".read.id", "the same key as for writing, and every peer is told it")
	}
}

var accountID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (v *validator) place(key, account, endpoint, name string) {
	switch {
	case account != "" && !accountID.MatchString(account):
		v.fault(key+".account_id", "want 32 hexadecimal digits")
	case v.need(key+".endpoint", endpoint):
		if _, local := protocol.LocalStore(endpoint); !local {
			v.url(key+".endpoint", endpoint)
		}
	}
	if v.need(key+".name", name) && store.CheckBucketName(name) != nil {
		v.fault(key+".name", "want 3 to 63 of a-z, 0-9, '-' and '.'")
	}
}

func (v *validator) credential(key string, k Key) {
	v.need(key+".id", k.ID)
	v.need(key+".secret", string(k.Secret))
}
