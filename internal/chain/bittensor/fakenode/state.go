package fakenode

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"templar/internal/chain/bittensor/runtime"
)

// storage is the chain's state after a block: a change of the one before.
type storage struct {
	parent *storage
	depth  int
	delta  map[string][]byte // nil: deleted
}

const flattenAt = 64

func (s *storage) child() *storage {
	c := &storage{parent: s, delta: map[string][]byte{}}
	if s != nil {
		if c.depth = s.depth + 1; c.depth > flattenAt {
			c.parent, c.depth, c.delta = nil, 0, s.flat()
		}
	}
	return c
}

func (s *storage) flat() map[string][]byte {
	all := map[string][]byte{}
	for _, l := range s.layers() {
		maps.Copy(all, l.delta)
	}
	maps.DeleteFunc(all, func(_ string, v []byte) bool { return v == nil })
	return all
}

// layers are from the oldest on.
func (s *storage) layers() (list []*storage) {
	for l := s; l != nil; l = l.parent {
		list = append(list, l)
	}
	slices.Reverse(list)
	return list
}

func (s *storage) get(key string) []byte {
	for l := s; l != nil; l = l.parent {
		if v, ok := l.delta[key]; ok {
			return v
		}
	}
	return nil
}

func (s *storage) keys(prefix string) (list []string) {
	for k := range s.flat() {
		if strings.HasPrefix(k, prefix) {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list
}

// view reads and writes a state by a runtime's metadata. Its panics are faults of a test:
// an item that the metadata does not have, a value of another form.
type view struct {
	m *runtime.Metadata
	s *storage
}

func (v view) item(pallet, name string) *runtime.Item {
	it, err := v.m.Item(pallet, name)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	return it
}

func (v view) has(pallet, name string) bool {
	_, err := v.m.Item(pallet, name)
	return err == nil
}

func (v view) key(it *runtime.Item, keys []any) string {
	k, err := v.m.Key(it, keys...)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	return string(k)
}

func (v view) get(pallet, name string, keys ...any) any {
	it := v.item(pallet, name)
	x, err := v.m.DecodeValue(it, v.s.get(v.key(it, keys)))
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	return x
}

// set writes an item, and does nothing where this runtime does not have it.
func (v view) set(pallet, name string, value any, keys ...any) {
	if !v.has(pallet, name) {
		return
	}
	it := v.item(pallet, name)
	b, err := v.m.EncodeValue(it, value)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	v.s.delta[v.key(it, keys)] = bytes.Clone(append([]byte{}, b...))
}

func (v view) remove(pallet, name string, keys ...any) {
	if v.has(pallet, name) {
		v.s.delta[v.key(v.item(pallet, name), keys)] = nil
	}
}

// number reads an unsigned number, 0 where the runtime does not have the item.
func (v view) number(pallet, name string, keys ...any) uint64 {
	if !v.has(pallet, name) {
		return 0
	}
	n, err := runtime.U64(v.get(pallet, name, keys...))
	if err != nil {
		panic("fakenode: " + name + ": " + err.Error())
	}
	return n
}

// list reads a list of anything.
func (v view) list(pallet, name string, keys ...any) []any {
	l, _ := v.get(pallet, name, keys...).([]any)
	return l
}
