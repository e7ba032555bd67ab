package cli

import (
	"cmp"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"templar/internal/admit"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/store/server"
)

func storeGroup(std Std, b *node.Backends) *cobra.Command {
	cmd := group("store", "Serve, check and use buckets", `Commands for object stores: the one that the program carries, an S3 server over a folder, and
any bucket that a node works with.`)
	cmd.Example = `  templar store check --config miner.yaml           # will this bucket work?
  templar store init dataset aggregator alice       # the file of an S3 server of your own
  templar store serve --config store.json`
	cmd.AddCommand(storeServe(std), storeStatus(b), storeInit(), storeKeys(), storeCheck(std, b), storeBench(std, b), storeLs(std, b), storeCat(std, b), storePut(std, b), storeGet(std, b))
	return cmd
}

func storeServe(std Std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve buckets to any S3 client",
		Long: `Serve an S3 endpoint over a folder, one process a folder. The configuration file, which "templar store
init" writes, is JSON:

  {
    "dir": "objects",
    "buckets": ["alice", "dataset"],
    "keys": [
      {"id": "alice-write", "secret": "...", "write": ["alice"]},
      {"id": "public-read", "secret": "...", "read": ["alice", "dataset"]}
    ]
  }

"bucket_bytes" is what each bucket may hold (without: an equal share of the disk),
"bucket_uploads" how many unfinished uploads it may have (1000), "min_free_bytes" what uploads
leave free of the disk (1 GiB); -1 is no bound. "proxies" lists reverse proxies in front of the
server. "dir" may begin with ~/.`,
		Example: `  templar store serve --config store.json --addr 127.0.0.1:9000`,
		Args:    noArgs,
	}
	file := cmd.Flags().String("config", "", "file with the folder, buckets and keys")
	addr := cmd.Flags().String("addr", "127.0.0.1:9000", "host:port to listen on; port 0 takes a free one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("--config: missing: name the store's file, see %q", cmd.CommandPath()+" --help")
		}
		return untilInterrupted(cmd.Context(), serveStore(cmd, std, *file, *addr))
	}
	return cmd
}

// What a store's file leaves out.
const (
	defaultUploads = 1000
	defaultMinFree = 1 << 30
)

func serveStore(cmd *cobra.Command, std Std, file, addr string) error {
	log, err := logger(cmd, std)
	if err != nil {
		return err
	}
	c, err := config.LoadStore(file)
	if err != nil {
		return usageError{err}
	}
	var keys []store.Key
	for _, k := range c.Keys {
		keys = append(keys, k.Key())
	}
	l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", addr) // before anything is written
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer l.Close()
	// Opening the folder removes the unfinished files of a server that is still running.
	unlock, err := fs.Lock(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	sc := server.Config{Dir: c.Dir, Keys: keys, Fsync: true, Log: log}
	if sc.Proxies, err = admit.ParseProxies(c.Proxies); err != nil {
		return usageError{err}
	}
	sc.BucketUploads = max(0, cmp.Or(c.BucketUploads, defaultUploads))
	sc.MinFree = max(0, cmp.Or(c.MinFree, defaultMinFree))
	if sc.BucketBytes = max(0, c.BucketBytes); c.BucketBytes == 0 {
		if sc.BucketBytes, err = fs.Share(c.Dir, len(c.Buckets)); err != nil {
			return err
		}
	}
	s, err := server.Open(sc)
	if err != nil {
		return err
	}
	for _, b := range c.Buckets {
		if err := s.CreateBucket(b); err != nil {
			return err
		}
	}
	log.Info("store serves", "endpoint", "http://"+l.Addr().String(), "buckets", len(c.Buckets), "bucket_bytes", sc.BucketBytes)
	return s.Serve(cmd.Context(), l)
}
