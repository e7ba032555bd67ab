package runtime

import (
	"fmt"

	"templar/internal/chain/bittensor/scale"
)

// Item is a storage item: a value, or a map of values.
type Item struct {
	Pallet, Name string
	Hashers      []Hasher // one for each key
	Optional     bool     // absent means none; else it means Fallback
	Fallback     []byte
	prefix       string
	key, value   uint32
}

// Item finds a storage item.
func (m *Metadata) Item(pallet, name string) (*Item, error) {
	p, err := m.pallet(pallet)
	if err != nil {
		return nil, err
	}
	it, ok := p.items[name]
	if !ok {
		return nil, fmt.Errorf("storage %s.%s: %w", pallet, name, ErrAbsent)
	}
	return it, nil
}

// keyTypes returns the types of an item's keys.
func (m *Metadata) keyTypes(it *Item) ([]uint32, error) {
	if len(it.Hashers) <= 1 {
		return []uint32{it.key}[:len(it.Hashers)], nil
	}
	t, err := m.typ(it.key)
	if err != nil {
		return nil, err
	}
	if t.kind != kindTuple || len(t.tuple) != len(it.Hashers) {
		return nil, fmt.Errorf("%w: %s.%s has %d hashers, and keys that are not as many", ErrMetadata, it.Pallet, it.Name, len(it.Hashers))
	}
	return t.tuple, nil
}

// Key returns where an item's value is stored; with fewer keys than the item has, the
// prefix that all values under those keys share.
func (m *Metadata) Key(it *Item, keys ...any) ([]byte, error) {
	types, err := m.keyTypes(it)
	if err != nil {
		return nil, err
	}
	if len(keys) > len(types) {
		return nil, fmt.Errorf("storage %s.%s: %d keys, it has %d", it.Pallet, it.Name, len(keys), len(types))
	}
	b := twox(twox(nil, []byte(it.prefix), 2), []byte(it.Name), 2)
	for i, k := range keys {
		raw, err := m.append(nil, types[i], k, 0)
		if err != nil {
			return nil, fmt.Errorf("storage %s.%s: key %d: %w", it.Pallet, it.Name, i, err)
		}
		b = it.Hashers[i].appendKey(b, raw)
	}
	return b, nil
}

// SplitKey reads the keys back out of a storage key. All must be readable ones.
func (m *Metadata) SplitKey(it *Item, key []byte) (keys []any, err error) {
	types, err := m.keyTypes(it)
	if err != nil {
		return nil, err
	}
	r := scale.NewReader(key)
	r.Bytes(32)
	d := decoder{m: m, r: r}
	for i, h := range it.Hashers {
		n, follows := h.size()
		if !follows {
			return nil, fmt.Errorf("storage %s.%s: key %d is only a hash", it.Pallet, it.Name, i)
		}
		r.Bytes(n)
		keys = append(keys, d.value(types[i], 0))
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("storage key of %s.%s: %w", it.Pallet, it.Name, err)
	}
	return keys, nil
}

// DecodeValue decodes what the chain holds for an item. A nil raw is a value that is not
// there: nil for an optional item, else the fallback.
func (m *Metadata) DecodeValue(it *Item, raw []byte) (any, error) {
	if raw == nil {
		if it.Optional {
			return nil, nil
		}
		raw = it.Fallback
	}
	v, err := m.decode(it.value, raw)
	if err != nil {
		return nil, fmt.Errorf("storage %s.%s: %w", it.Pallet, it.Name, err)
	}
	return v, nil
}

// EncodeValue is the inverse, for nodes of tests.
func (m *Metadata) EncodeValue(it *Item, v any) ([]byte, error) {
	b, err := m.append(nil, it.value, v, 0)
	if err != nil {
		return nil, fmt.Errorf("storage %s.%s: %w", it.Pallet, it.Name, err)
	}
	return b, nil
}
