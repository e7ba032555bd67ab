package store

import (
	"context"
	"fmt"

	"templar/protocol"
)

// EachKey visits the objects whose keys begin with prefix and are of the protocol. It passes
// over keys of other versions and of strangers' making.
func EachKey(ctx context.Context, r Reader, prefix string, visit func(key string, k protocol.Key)) error {
	const page, most = 1000, 100 // pages: a bucket of another node may have no end
	after := ""
	for range most {
		objects, err := r.List(ctx, prefix, after, page)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if k, ok := protocol.ParseKey(o.Key); ok {
				visit(o.Key, k)
			}
			after = o.Key
		}
		if len(objects) < page {
			return nil
		}
	}
	return fmt.Errorf("more than %d objects %q", most*page, prefix)
}
