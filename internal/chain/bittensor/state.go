package bittensor

import (
	"context"
	"errors"
	"fmt"

	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// keepRuntimes is how many versions of the runtime are remembered: upgrades come weekly.
const keepRuntimes = 3

// runtimeNow returns the runtime of the newest block, with which the next is made.
func (c *Client) runtimeNow(ctx context.Context, l caller) (*Runtime, error) {
	return c.runtime(ctx, l)
}

// anyRuntime returns a runtime that is known, else the newest: for what all have alike.
func (c *Client) anyRuntime(ctx context.Context, l caller) (*Runtime, error) {
	c.mu.Lock()
	var newest *Runtime
	for _, rt := range c.mu.runtimes {
		if newest == nil || rt.Spec > newest.Spec {
			newest = rt
		}
	}
	c.mu.Unlock()
	if newest != nil {
		return newest, nil
	}
	return c.runtimeNow(ctx, l)
}

// runtimeAt returns the runtime whose state a block has.
func (c *Client) runtimeAt(ctx context.Context, l caller, at protocol.Hash) (*Runtime, error) {
	return c.runtime(ctx, l, runtime.Hex(at[:]))
}

// runtime asks for the version, and reads the metadata of one that is new.
func (c *Client) runtime(ctx context.Context, l caller, at ...any) (*Runtime, error) {
	var v struct {
		Spec        uint32 `json:"specVersion"`
		Transaction uint32 `json:"transactionVersion"`
	}
	if err := l.Call(ctx, &v, "state_getRuntimeVersion", at...); err != nil {
		return nil, err
	}
	c.mu.Lock()
	rt := c.mu.runtimes[v.Spec]
	c.mu.Unlock()
	if rt != nil && rt.Transaction == v.Transaction {
		return rt, nil
	}
	m, err := metadata(ctx, l, at...)
	if err != nil {
		return nil, fmt.Errorf("runtime %d: %w", v.Spec, err)
	}
	rt = &Runtime{m, v.Spec, v.Transaction}
	c.mu.Lock()
	defer c.mu.Unlock()
	for spec := range c.mu.runtimes {
		if len(c.mu.runtimes) >= keepRuntimes {
			delete(c.mu.runtimes, spec)
		}
	}
	c.mu.runtimes[v.Spec] = rt
	c.log.DebugContext(ctx, "chain runtime", "spec", v.Spec, "metadata", m.Version)
	return rt, nil
}

// metadata asks for version 15, which has the types of runtime APIs, else for 14.
func metadata(ctx context.Context, l caller, at ...any) (*runtime.Metadata, error) {
	var text string
	err := l.Call(ctx, &text, "state_call", append([]any{"Metadata_metadata_at_version", "0x0f000000"}, at...)...)
	if err == nil {
		var raw []byte
		if raw, err = runtime.ParseHex(text); err == nil && len(raw) > 1 {
			if m, err := runtime.Decode(raw); err == nil {
				return m, nil
			}
		}
	}
	if errors.Is(err, rpc.ErrClosed) {
		return nil, err
	}
	if err := l.Call(ctx, &text, "state_getMetadata", at...); err != nil {
		return nil, err
	}
	raw, err := runtime.ParseHex(text)
	if err != nil {
		return nil, err
	}
	return runtime.Decode(raw)
}

// state reads storage at one block.
type state struct {
	l  caller
	rt *Runtime
	at block
}

// stateAtFinal reads at the newest final block.
func (c *Client) stateAtFinal(ctx context.Context, l *link) (*state, error) {
	c.mu.Lock()
	at := c.mu.final
	c.mu.Unlock()
	rt, err := c.runtimeAt(ctx, l, at.hash)
	if err != nil {
		return nil, err
	}
	return &state{l, rt, at}, nil
}

func (s *state) hash() string { return runtime.Hex(s.at.hash[:]) }

// raw asks for a storage value; nil is absent.
func (s *state) raw(ctx context.Context, key []byte) ([]byte, error) {
	var text *string
	if err := s.l.Call(ctx, &text, "state_getStorage", runtime.Hex(key), s.hash()); err != nil {
		return nil, err
	}
	if text == nil {
		return nil, nil
	}
	return runtime.ParseHex(*text)
}

// key returns where an item's value is stored. An item that the runtime keeps once for the
// whole chain takes no keys. An item with more keys than are given is refused: the shorter
// key would read as an absent value.
func (s *state) key(it *runtime.Item, keys ...any) ([]byte, error) {
	if len(it.Hashers) == 0 {
		keys = nil
	}
	if len(keys) != len(it.Hashers) {
		return nil, fmt.Errorf("storage %s.%s has %d keys in this runtime, not %d: update templar", it.Pallet, it.Name, len(it.Hashers), len(keys))
	}
	return s.rt.Key(it, keys...)
}

// value reads a storage item, with its fallback where nothing is stored.
func (s *state) value(ctx context.Context, pallet, item string, keys ...any) (any, error) {
	it, err := s.rt.Item(pallet, item)
	if err != nil {
		return nil, err
	}
	key, err := s.key(it, keys...)
	if err != nil {
		return nil, err
	}
	raw, err := s.raw(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.rt.DecodeValue(it, raw)
}

// number reads an item that is an unsigned number.
func (s *state) number(ctx context.Context, pallet, item string, keys ...any) (uint64, error) {
	v, err := s.value(ctx, pallet, item, keys...)
	if err != nil {
		return 0, err
	}
	n, err := runtime.U64(v)
	if err != nil {
		return 0, fmt.Errorf("storage %s.%s: %w", pallet, item, err)
	}
	return n, nil
}

// numberOr is number, or a value for runtimes that lack the item.
func (s *state) numberOr(ctx context.Context, absent uint64, pallet, item string, keys ...any) (uint64, error) {
	n, err := s.number(ctx, pallet, item, keys...)
	if errors.Is(err, runtime.ErrAbsent) {
		return absent, nil
	}
	return n, err
}

// Sizes of requests for many keys.
const (
	pageKeys  = 1000
	queryKeys = 256
	maxKeys   = 1 << 16 // under one prefix: a subnet has 256 neurons, the chain's limit is 65536
)

// keys lists the storage keys under a prefix.
func (s *state) keys(ctx context.Context, prefix []byte) (all [][]byte, err error) {
	var start any
	for {
		var page []string
		if err := s.l.Call(ctx, &page, "state_getKeysPaged", runtime.Hex(prefix), pageKeys, start, s.hash()); err != nil {
			return nil, err
		}
		for _, text := range page {
			key, err := runtime.ParseHex(text)
			if err != nil {
				return nil, err
			}
			if len(key) < len(prefix) || string(key[:len(prefix)]) != string(prefix) {
				return nil, errors.New("the endpoint lists keys that were not asked for")
			}
			all = append(all, key)
		}
		if len(page) < pageKeys {
			return all, nil
		}
		if len(all) > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
		if next := page[len(page)-1]; next == start {
			return nil, errors.New("the endpoint lists the same keys again")
		} else {
			start = next
		}
	}
}

// query reads many values at once. Absent ones are not in the result.
func (s *state) query(ctx context.Context, keys [][]byte) (map[string][]byte, error) {
	values := make(map[string][]byte, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), queryKeys)
		texts := make([]string, n)
		for i, k := range keys[:n] {
			texts[i] = runtime.Hex(k)
		}
		keys = keys[n:]
		var sets []struct {
			Changes [][2]*string `json:"changes"`
		}
		if err := s.l.Call(ctx, &sets, "state_queryStorageAt", texts, s.hash()); err != nil {
			return nil, err
		}
		for _, set := range sets {
			for _, change := range set.Changes {
				if change[0] == nil || change[1] == nil {
					continue
				}
				key, err1 := runtime.ParseHex(*change[0])
				value, err2 := runtime.ParseHex(*change[1])
				if err := errors.Join(err1, err2); err != nil {
					return nil, err
				}
				values[string(key)] = value
			}
		}
	}
	return values, nil
}

// call asks a runtime API.
func (s *state) call(ctx context.Context, name string, args []byte) ([]byte, error) {
	var text string
	if err := s.l.Call(ctx, &text, "state_call", name, runtime.Hex(args), s.hash()); err != nil {
		return nil, err
	}
	return runtime.ParseHex(text)
}
