package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/node"
	"templar/internal/results"
	"templar/internal/store"
	"templar/internal/store/server"
	"templar/protocol"
)

// bucketCommands take or read a bucket. In each line BUCKET stands for the flags that name one; node.json is the configuration of a
// validator, aggregator.json and evaluator.json those of other nodes, of a run with a few windows. WINDOW is the last that was applied.
var bucketCommands = []string{
	"store put small first BUCKET", // a folder comes to be with the first object
	"store ls BUCKET",
	"store ls --json BUCKET",
	"store ls --uploads BUCKET",
	"store cat nothing BUCKET",
	"store get nothing got BUCKET",
	"store put small BUCKET",
	"store put small dir/key BUCKET",
	"store put small BUCKET", // again
	"store put small ../key BUCKET",
	"store put small /key BUCKET",
	"store put none BUCKET",
	"store put empty BUCKET",
	"store ls BUCKET",
	"store ls dir/ BUCKET",
	"store ls --json BUCKET",
	"store ls none BUCKET",
	"store cat small BUCKET",
	"store cat dir BUCKET",
	"store cat empty BUCKET",
	"store cat dir/key BUCKET",
	"store cat ../key BUCKET",
	"store get dir/key got BUCKET",
	"store get dir/key got BUCKET", // again
	"store get dir/key BUCKET",
	"store get small . BUCKET",
	"store get empty hollow BUCKET",
	"store bench --sizes 1K --count 1 BUCKET",
	"store check BUCKET",
	"store status --config store.json --endpoint ENDPOINT",
	"dataset build --tokenizer bytes --name book --shard-tokens 4096 --out s3://alike --endpoint ENDPOINT text",
	"dataset build --tokenizer bytes --name book --shard-tokens 4096 --out s3://alike --endpoint ENDPOINT text", // again
	"store ls BUCKET",
	"store ls --uploads BUCKET",
	"store ls NO-BUCKET",

	"store ls --config node.json",
	"store ls --config node.json --bucket-kind dataset",
	"store cat --config aggregator.json --bucket-kind aggregator nothing",
	"verify --config node.json --window WINDOW",
	"verify --config node.json --window WINDOW --scores --json",
	"verify --config node.json --window 1",
	"explain --config node.json --uid 1",
	"explain --config node.json --uid 1 --json",
	"explain --config node.json --uid 7",
	"run status --config node.json",
	"run status --config node.json --json",
	"run start --config node.json --json",
	"run check --config aggregator.json --tokens-per-second 60k",
	"results --config evaluator.json",
	"results --config evaluator.json --json",
	"doctor --config node.json",
	"doctor --config evaluator.json",
	"init miner --out miner.yaml --run run.json --data-dir other NODE-FLAGS OWN-FLAGS DATASET-FLAGS",
	"init validator --out validator.yaml --run run.json --data-dir other NODE-FLAGS OWN-FLAGS DATASET-FLAGS",
	"init aggregator --out aggregator.yaml --run run.json --data-dir other NODE-FLAGS",
	"init evaluator --out evaluator.yaml --run run.json --data-dir other NODE-FLAGS DATASET-FLAGS",
}

// otherCommands have a flag by one of the names of bucketFlag, and are not compared.
var otherCommands = map[string]string{
	"miner":             "TestNetworkOfProcesses and the script reading.txtar run all roles, with buckets of either kind",
	"validator":         "as miner",
	"aggregator":        "as miner",
	"evaluator":         "as miner",
	"run top":           "draws on a terminal what run status prints",
	"localnet folders":  "--store is the address of a server that it makes",
	"model init":        "--config is a model's",
	"run init":          "--store is written to a file, and nothing is asked there",
	"init run":          "as run init",
	"store init":        "--config is the file of an S3 server",
	"store keys":        "as store init",
	"store serve":       "as store init",
	"chain commit":      "--endpoint is a chain's, as of all chain commands",
	"chain commitments": "as chain commit", "chain head": "as chain commit", "chain metagraph": "as chain commit", "chain params": "as chain commit",
	"chain register": "as chain commit", "chain stake": "as chain commit", "chain status": "as chain commit", "chain unstake": "as chain commit",
	"chain weights": "as chain commit",
}

// bucketFlag reports whether a flag may name a bucket.
func bucketFlag(name string) bool {
	switch name {
	case "bucket", "config", "endpoint", "store":
		return true
	}
	return strings.HasSuffix(name, ".endpoint")
}

// Every command that may name a bucket is compared, or there is a reason.
func TestBucketCommandsAreKnown(t *testing.T) {
	root, known := stub().Command(Std{}), make(map[string]bool)
	for _, line := range bucketCommands {
		cmd, _, err := root.Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		known[cmd.CommandPath()] = true
	}
	for name := range otherCommands {
		if known["templar "+name] {
			t.Errorf("%s is compared", name)
		}
		known["templar "+name] = true
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		named := ""
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if bucketFlag(f.Name) {
				named = f.Name
			}
		})
		if named != "" && !known[cmd.CommandPath()] {
			t.Errorf("%s --%s: compare it in bucketCommands, or say in otherCommands why not", cmd.CommandPath(), named)
		}
		delete(known, cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for name := range known {
		t.Errorf("%s is none of the commands that have a flag for a bucket", name)
	}
}

// varying is what differs from run to run, the names of the two places, and of what depends on them, and the number of checks: a folder has
// no second key.
var varying = regexp.MustCompile(`\d+ checks passed|\d+ GFLOP/s|building-[0-9a-f]+|"published_seconds": [0-9.]+|http://127\.0\.0\.1:\d+|file:///\S*/folder|\d{4}-\d\d-\d\d[T ][0-9:.]+Z?|"etag":"[^"]*"|\d+(\.\d+)?(ms|µs|s| s)\b|[0-9.]+ [KMG]?i?B/s`)

// measured is the line of run check on the link, which a folder does not have.
var measured = regexp.MustCompile(`(?m)^\w+ +link .*\n`)

// Every command gives the same output and exit code for a bucket of an S3 server and for one in a folder.
func TestBucketsBehaveAlike(t *testing.T) {
	folder := "file://" + filepath.Join(t.TempDir(), "folder")
	remote := bucketServer(t, bucketNames...)
	n := someRun(t, remote, folder)
	environ := []string{"TEMPLAR_STORE_SECRET=secret"}
	for _, bucket := range []string{"GRADIENTS", "DATASET", "AGGREGATOR"} {
		for right, key := range map[string]string{"READ": "reader", "WRITE": "writer"} {
			environ = append(environ, fmt.Sprintf("R2_%s_%s_ACCESS_KEY_ID=%s", bucket, right, key), fmt.Sprintf("R2_%s_%s_SECRET_ACCESS_KEY=secret", bucket, right))
		}
	}
	s3 := n.outputs(t, remote, environ...)
	local := n.outputs(t, folder) // which has no keys
	for i, line := range bucketCommands {
		t.Logf("%s\n%s", line, s3[i])
		if s3[i] != local[i] {
			t.Errorf("%s\n-- S3 server:\n%s\n-- folder:\n%s", line, s3[i], local[i])
		}
	}
}

// bucketNames are those of the two places: one to play with, and a run's.
var bucketNames = []string{"alike", harness.DatasetBucket, harness.AggregatorBucket, "validator-0", "miner-0", "evaluator-0"}

// endedRun is a run that some windows have passed of.
type endedRun struct {
	params  protocol.Params
	address string // where something answers: the chain is not asked there
	chain   chain.Chain
	objects map[string]map[string][]byte // by bucket and key
	window  protocol.Window              // the last that was applied
	keys    map[string]uint64            // number of a node's hotkey
}

// someRun trains a few windows, for a run that trusts both places.
func someRun(t *testing.T, places ...string) *endedRun {
	t.Helper()
	n := &endedRun{address: places[0], objects: make(map[string]map[string][]byte), keys: map[string]uint64{"validator-0": 0, "miner-0": 1, "aggregator-0": 2, "evaluator-0": 3}}
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: func(p *protocol.Params) { p.Stores = append(p.Stores, places...) }}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(4)
		n.params, n.chain, n.window = *net.Run.Params, net.Chain, net.Window(1)
		for _, name := range bucketNames[1:5] {
			n.objects[name] = make(map[string][]byte)
			listed, err := net.Bucket(name).List(net.Context(), "", "", 10000)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range listed {
				n.objects[name][o.Key] = net.Object(name, o.Key)
			}
		}
		r := &results.Record{Version: results.Version, Run: net.Run.Hash, Start: net.Window(0), Window: n.window, HeldOut: results.HeldOut{Loss: 2, Tokens: 10}}
		raw, err := r.Encode(testnet.Key(t, n.keys["evaluator-0"]))
		if err != nil {
			t.Fatal(err)
		}
		n.objects["evaluator-0"] = map[string][]byte{protocol.EvaluationKey(n.window): raw}
	})
	return n
}

// outputs copies the run's objects to a place, and gives what each command writes there.
func (n *endedRun) outputs(t *testing.T, endpoint string, environ ...string) (out []string) {
	t.Helper()
	t.Chdir(t.TempDir())
	app := stub()
	app.Backends.Chains = map[string]node.OpenChain{config.CometBFT: func(context.Context, config.Chain, clock.Clock, *slog.Logger) (node.ChainConn, error) {
		return moved{n.chain, endpoint}, nil
	}}
	n.copy(t, &app.Backends, endpoint)
	n.write(t, endpoint)
	key := " --access-key writer"
	if strings.HasPrefix(endpoint, "file:") {
		key = ""
	}
	owned := func(flag, bucket string) string {
		return fmt.Sprintf("--buckets.%s.endpoint %s --buckets.%[1]s.name %[3]s", flag, endpoint, bucket)
	}
	expand := strings.NewReplacer(
		"NO-BUCKET", "--endpoint "+endpoint+" --bucket none"+key, "BUCKET", "--endpoint "+endpoint+" --bucket alike"+key, "ENDPOINT", endpoint,
		"WINDOW", fmt.Sprint(n.window), "DATASET-FLAGS", owned("dataset", harness.DatasetBucket),
		"OWN-FLAGS", owned("gradients", "validator-0"),
		"NODE-FLAGS", owned("aggregator", harness.AggregatorBucket)+" --subtensor.chain_endpoint "+n.address+" --wallet.path wallets --wallet.name owner --wallet.hotkey validator-0",
	)
	for _, line := range bucketCommands {
		var stdout, stderr bytes.Buffer
		code := app.Run(t.Context(), strings.Fields(expand.Replace(line)), Std{In: strings.NewReader(""), Out: &stdout, Err: &stderr, Environ: environ})
		got, err := os.ReadFile("got")
		if err != nil {
			got = nil
		}
		text := measured.ReplaceAllString(fmt.Sprintf("exit %d\n%s\n%s\ngot %q", code, &stdout, &stderr, got), "")
		out = append(out, varying.ReplaceAllString(text, "..."))
		for _, name := range []string{"got", "key", "hollow"} {
			os.Remove(name)
		}
	}
	return out
}

// copy puts the objects into the buckets of a place.
func (n *endedRun) copy(t *testing.T, b *node.Backends, endpoint string) {
	t.Helper()
	d := b.Buckets()
	defer d.Close()
	for bucket, objects := range n.objects {
		to, release, err := d.DialOwn(store.Location{Endpoint: endpoint, Bucket: bucket, AccessKey: "writer", Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for key, body := range objects {
			if err := store.PutBytes(t.Context(), to, key, body, store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		release()
	}
}

// write makes the files that the commands name.
func (n *endedRun) write(t *testing.T, endpoint string) {
	t.Helper()
	put := func(name, text string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("small", "content\n")
	put("empty", "")
	put("text", strings.Repeat("All things that are, are one.\n\n", 600))
	put("store.json", `{"dir": "objects", "buckets": ["alike"], "keys": [{"id": "writer", "secret": "secret", "admin": true}]}`)
	params, err := json.Marshal(n.params)
	if err != nil {
		t.Fatal(err)
	}
	put("run.json", string(params))
	read, write := "", ""
	if !strings.HasPrefix(endpoint, "file:") { // a folder has no keys
		read, write = `, "read": {"id": "reader", "secret": "secret"}`, `, "write": {"id": "writer", "secret": "secret"}`
	}
	for file, name := range map[string]string{"node": "validator-0", "aggregator": "aggregator-0", "evaluator": "evaluator-0"} {
		put(filepath.Join("wallets", "owner", "hotkeys", name), fmt.Sprintf(`{"secretSeed": "%048x%02x00000000000000"}`, 0, n.keys[name]))
		own := map[string]string{"node": "gradients", "aggregator": "gradients", "evaluator": "results"}[file]
		aggregates := strings.Replace(read, "read", "key", 1)
		if file == "aggregator" {
			aggregates = strings.Replace(write, "write", "key", 1)
		}
		put(file+".json", fmt.Sprintf(`{
			"run": "run.json", "data_dir": "data-%[1]s", "wallet": {"path": "wallets", "name": "owner", "hotkey": %[1]q}, "chain": {"endpoint": %[2]q},
			"buckets": {
				%[3]q: {"endpoint": %[4]q, "name": %[1]q%[5]s%[6]s},
				"aggregator": {"endpoint": %[4]q, "name": "aggregator"%[7]s},
				"dataset": {"endpoint": %[4]q, "name": "dataset"%[8]s}
			}
		}`, name, n.address, own, endpoint, read, write, aggregates, strings.Replace(read, "read", "key", 1)))
	}
}

// moved is a chain on which all buckets are in one place.
type moved struct {
	chain.Chain
	endpoint string
}

// Commitments are those of the chain, but for the place.
func (m moved) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	all, err := m.Chain.Commitments(ctx)
	for i := range all {
		c, bad := directory.DecodeCommitment(all[i].Data)
		if c.Location.Endpoint, c.Location.AccessKey, c.Location.Secret = m.endpoint, "reader", "secret"; strings.HasPrefix(m.endpoint, "file:") {
			c.Location.AccessKey, c.Location.Secret = "", ""
		}
		var worse error
		all[i].Data, worse = c.Encode()
		err = errors.Join(err, bad, worse)
	}
	return all, err
}

// ClockAhead is nothing: the chain has ended.
func (moved) ClockAhead(context.Context) (time.Duration, error) { return 0, nil }

// Wait does not: no block follows.
func (m moved) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	return m.Block(ctx, number)
}

// Commit fails: each node has committed its bucket.
func (moved) Commit(context.Context, protocol.Signer, []byte) (chain.Receipt, error) {
	return chain.Receipt{}, errors.New("the bucket on the chain is another one")
}

// Close does nothing: others use the chain.
func (moved) Close() error { return nil }

// bucketServer serves buckets until the test ends.
func bucketServer(t *testing.T, buckets ...string) (endpoint string) {
	t.Helper()
	reader := server.Key{AccessKey: "reader", Secret: "secret"}
	for _, name := range buckets {
		reader.Grants = append(reader.Grants, server.Grant{Bucket: name})
	}
	s, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{{AccessKey: "writer", Secret: "secret", Admin: true}, reader}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range buckets {
		if err := s.CreateBucket(name); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}
