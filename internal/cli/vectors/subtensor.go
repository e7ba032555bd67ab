package vectors

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/scale"
	"templar/internal/wallet"
	"templar/protocol"
)

// subtensor verifies the kinds of files about Bittensor's chain. They name their kind,
// and some need the metadata in the folder beside them.
type subtensor struct {
	dir   string
	cases []Case
}

// subtensorKinds are the files' kinds without their common beginning.
var subtensorKinds = map[string]func(*subtensor, []byte) error{
	"keys": (*subtensor).keys, "eras": (*subtensor).eras, "runtime": (*subtensor).runtime, "errors": (*subtensor).errors, "outcomes": (*subtensor).outcomes,
	"commitments": (*subtensor).commitments, "timelock": (*subtensor).timelock, "reveal": (*subtensor).reveal, "live": (*subtensor).live, "node": (*subtensor).node,
	"neurons-lite-mainnet": (*subtensor).neurons, "chopsticks-frames": (*subtensor).frames,
}

const subtensorPrefix = "subtensor/"

// verifySubtensor checks a file, if it is of one of the kinds.
func verifySubtensor(file string, b []byte) (cases []Case, form string, known bool, err error) {
	s := &subtensor{dir: filepath.Dir(file)}
	if filepath.Ext(file) == ".jsonl" {
		s.dir = filepath.Dir(s.dir)
		return s.finish("transcript", s.transcript(b))
	}
	var head struct{ Kind string }
	if json.Unmarshal(b, &head) != nil || !strings.HasPrefix(head.Kind, subtensorPrefix) {
		return nil, "", false, nil
	}
	kind := strings.TrimPrefix(head.Kind, subtensorPrefix)
	check, ok := subtensorKinds[kind]
	if !ok {
		return nil, "", false, nil
	}
	return s.finish(kind, check(s, b))
}

func (s *subtensor) finish(kind string, err error) ([]Case, string, bool, error) {
	return s.cases, subtensorPrefix + kind, true, err
}

// say adds a case: err is nil when it holds.
func (s *subtensor) say(name string, err error) {
	c := within(name, 0, 0)
	if err != nil {
		c = failed(name, err)
		c.Error = 1
	}
	s.cases = append(s.cases, c)
}

// same is an error that shows both values, unless they are equal.
func same(got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%.300v, want %.300v", got, want)
}

// hexText is 0x and hexadecimal digits in JSON.
type hexText []byte

func (h *hexText) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	return err
}

func (h hexText) array() (a [32]byte) { copy(a[:], h); return a }

// decodeJSON keeps numbers as they stand.
func decodeJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// metadata reads metadata/NAME under the folder.
func (s *subtensor) metadata(name string) (*runtime.Metadata, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, runtime.MaxMetadata+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return runtime.Decode(b)
}

func (s *subtensor) spec(spec any) (*runtime.Metadata, error) {
	return s.metadata(fmt.Sprintf("metadata/%v-v14.scale.gz", spec))
}

func (s *subtensor) keys(b []byte) error {
	var v struct {
		Keys []struct {
			Name         string
			Seed, Public hexText
			SS58         string `json:"ss58_42"`
		}
		Signatures []struct {
			Public, Message, Signature hexText
			Valid                      bool
		}
		Bad []struct{ Address, Why string } `json:"bad_addresses"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, k := range v.Keys {
		w, err := wallet.FromSeed(k.Seed.array())
		if err == nil {
			err = same([]string{fmt.Sprintf("%x", [32]byte(w.Hotkey())), w.String()}, []string{hex.EncodeToString(k.Public), k.SS58})
		}
		s.say("key "+k.Name, err)
	}
	for i, x := range v.Signatures {
		var sig protocol.Signature
		copy(sig[:], x.Signature)
		ok := len(x.Signature) == len(sig) && protocol.Hotkey(x.Public.array()).Verify(x.Message, sig)
		s.say(fmt.Sprintf("signature %d", i), same(ok, x.Valid))
	}
	for _, x := range v.Bad {
		var err error
		if h, e := protocol.ParseHotkey(x.Address); e == nil {
			err = fmt.Errorf("read as %v", h)
		}
		s.say("address: "+x.Why, err)
	}
	return nil
}

func (s *subtensor) eras(b []byte) error {
	var v struct {
		Eras []struct {
			Period, Current, Birth uint64
			Hex                    hexText
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, e := range v.Eras {
		era := runtime.NewEra(e.Period, e.Current)
		err := errors.Join(same(era.Append(nil), []byte(e.Hex)), same(era.Birth(e.Current), e.Birth))
		r := scale.NewReader(e.Hex)
		if back := runtime.ReadEra(r); back != era || r.End() != nil {
			err = errors.Join(err, fmt.Errorf("read back as %+v", back))
		}
		s.say(fmt.Sprintf("period %d at %d", e.Period, e.Current), err)
	}
	return nil
}

func (s *subtensor) runtime(b []byte) error {
	var v struct {
		Metadata    string
		Spec        uint32
		Transaction uint32 `json:"transaction_version"`
		Genesis     hexText
		Extensions  []string
		Calls       []runtimeCall
		Storage     []runtimeItem
		Extrinsics  []runtimeExtrinsic
	}
	if err := decodeJSON(b, &v); err != nil {
		return err
	}
	m, err := s.metadata(v.Metadata)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range m.Extensions {
		names = append(names, e.Name)
	}
	s.say("extensions", same(names, v.Extensions))
	for _, c := range v.Calls {
		s.say("call "+c.Name, c.check(m))
	}
	for _, it := range v.Storage {
		s.say(fmt.Sprintf("storage %s.%s%v", it.Pallet, it.Item, it.Params), it.check(m))
	}
	for _, x := range v.Extrinsics {
		s.say("extrinsic "+x.Name, x.check(m, runtime.Context{Spec: v.Spec, Transaction: v.Transaction, Genesis: v.Genesis.array()}))
	}
	return nil
}

type runtimeCall struct {
	Name, Pallet, Call string
	Args               map[string]any
	Hex                hexText
	Absent             any
}

func (c *runtimeCall) check(m *runtime.Metadata) error {
	if c.Absent != nil && c.Absent != false {
		if m.Has(c.Pallet, c.Call) {
			return errors.New("the runtime has it")
		}
		return nil
	}
	got, err := m.NewCall(c.Pallet, c.Call, c.Args)
	if err != nil {
		return err
	}
	d, err := m.DecodeCall(got)
	return errors.Join(err, same([]byte(got), []byte(c.Hex)), same([]string{d.Pallet, d.Name}, []string{c.Pallet, c.Call}))
}

type runtimeItem struct {
	Pallet, Item  string
	Params        []any
	Key, Fallback hexText
	Hashers       []string
	Optional      bool
	Absent        any
}

func (i *runtimeItem) check(m *runtime.Metadata) error {
	it, err := m.Item(i.Pallet, i.Item)
	if i.Absent != nil && i.Absent != false {
		if !errors.Is(err, runtime.ErrAbsent) {
			return fmt.Errorf("the runtime has it, %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	key, err := m.Key(it, i.Params...)
	if err != nil {
		return err
	}
	hashers := []string{}
	for _, h := range it.Hashers {
		hashers = append(hashers, h.String())
	}
	if err := errors.Join(same(key, []byte(i.Key)), same(hashers, i.Hashers), same(it.Optional, i.Optional), same(it.Fallback, []byte(i.Fallback))); err != nil {
		return err
	}
	if len(i.Params) == len(it.Hashers) {
		if _, err := m.SplitKey(it, key); err != nil {
			return err
		}
	}
	_, err = m.DecodeValue(it, nil)
	return err
}

type runtimeExtrinsic struct {
	Name      string
	Call      hexText
	Nonce     uint64
	Era       *struct{ Period, Current uint64 }
	Birth     hexText `json:"era_block_hash"`
	Payload   hexText `json:"payload_signed"`
	Hashed    bool
	Public    hexText
	Signature hexText
	Extrinsic hexText
	Hash      hexText
}

func (x *runtimeExtrinsic) check(m *runtime.Metadata, c runtime.Context) error {
	c.Nonce, c.Birth = x.Nonce, x.Birth.array()
	if x.Era != nil {
		c.Era = runtime.NewEra(x.Era.Period, x.Era.Current)
	}
	payload, err := m.Payload(runtime.Call(x.Call), c)
	if err != nil {
		return err
	}
	who, sig := protocol.Hotkey(x.Public.array()), protocol.Signature{}
	copy(sig[:], x.Signature)
	got, err := m.Extrinsic(runtime.Call(x.Call), c, who, sig)
	if err != nil {
		return err
	}
	hash := runtime.Blake2_256(got)
	if err := errors.Join(same(payload, []byte(x.Payload)), same(got, []byte(x.Extrinsic)), same(hash[:], []byte(x.Hash))); err != nil {
		return err
	}
	if !who.Verify(payload, sig) {
		return errors.New("the signature does not fit the payload")
	}
	back, err := m.DecodeExtrinsic(got)
	if err != nil {
		return err
	}
	return errors.Join(same(back.Signer, who), same(back.Context.Nonce, x.Nonce), same(back.Context.Era, c.Era), same([]byte(back.Call), []byte(x.Call)))
}

func (s *subtensor) errors(b []byte) error {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for spec, raw := range v {
		if _, err := strconv.Atoi(spec); err != nil {
			continue
		}
		m, err := s.spec(spec)
		if err != nil {
			return err
		}
		var list []struct {
			PalletIndex uint8 `json:"pallet_index"`
			ErrorIndex  uint8 `json:"error_index"`
			Pallet      string
			Name        string
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for _, e := range list {
			pallet, name, _ := m.ErrorName(e.PalletIndex, e.ErrorIndex)
			s.say(fmt.Sprintf("%s: %d.%d", spec, e.PalletIndex, e.ErrorIndex), same(pallet+"."+name, e.Pallet+"."+e.Name))
		}
	}
	return nil
}

func (s *subtensor) outcomes(b []byte) error {
	var v struct {
		Outcomes []struct {
			Source string
			What   json.RawMessage
			Class  string
			Reason string `json:"reason_contains"`
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, o := range v.Outcomes {
		got, err := outcomeOf(o.Source, o.What)
		if err == nil && (!strings.HasPrefix(o.Class, got.Class.String()) || (!strings.Contains(strings.ToLower(got.Reason), strings.ToLower(o.Reason)) && !strings.HasPrefix(o.Reason, "the pallet's"))) {
			err = fmt.Errorf("%v, %q", got.Class, got.Reason)
		}
		if err == nil && got.Class == rules.Failed && got.Reason == "" {
			err = errors.New("no reason")
		}
		var name bytes.Buffer
		if json.Compact(&name, o.What) != nil {
			name.Reset()
		}
		s.say(strings.SplitN(o.Source, ",", 2)[0]+": "+name.String(), err)
	}
	return nil
}

// outcomeOf gives a source's word to the rule that is for it.
func outcomeOf(source string, what json.RawMessage) (o rules.Outcome, err error) {
	var text string
	isText := json.Unmarshal(what, &text) == nil
	switch {
	case strings.HasPrefix(source, "pool, chopsticks"):
		return rules.Pool(rules.ErrorObject{Code: rules.CodeInvalid, Message: text}), nil
	case strings.HasPrefix(source, "pool"):
		var e rules.ErrorObject
		if err := json.Unmarshal(what, &e); err != nil {
			return o, err
		}
		return rules.Pool(e), nil
	case strings.HasPrefix(source, "status") && isText && text == "connection lost":
		return rules.Outcome{Class: rules.Look}, nil
	case strings.HasPrefix(source, "status"):
		first, _, _ := strings.Cut(text, " or ")
		o, _ = rules.Status(json.RawMessage(statusJSON(first)))
		return o, nil
	case strings.HasPrefix(source, "dispatch"):
		if strings.HasPrefix(text, "an error with no name") {
			text = "pallet 7.error 200"
		}
		return rules.Dispatch(text), nil
	}
	return o, fmt.Errorf("source %q is not known", source)
}

// statusJSON makes JSON of the short form {"inBlock":h} of the vectors.
func statusJSON(text string) string {
	for _, short := range []string{"h", "hash"} {
		text = strings.Replace(text, ":"+short+"}", `:"0x00"}`, 1)
	}
	return strings.Replace(text, "[..]", "[]", 1)
}
