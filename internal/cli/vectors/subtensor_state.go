package vectors

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/timelock"
	"templar/protocol"
)

func (s *subtensor) commitments(b []byte) error {
	var v struct {
		Good []struct {
			Name   string
			Value  hexText
			Block  uint64
			Fields []map[string]json.RawMessage
		}
		Bad []struct {
			Name  string
			Value hexText
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, g := range v.Good {
		c, err := rules.DecodeCommitment(g.Value)
		if err == nil {
			err = errors.Join(same(c.Block, g.Block), same(shownFields(c.Fields), wantedFields(g.Fields)))
		}
		s.say(g.Name, err)
	}
	for _, x := range v.Bad {
		var err error
		if c, e := rules.DecodeCommitment(x.Value); e == nil {
			err = fmt.Errorf("read as %+v", c)
		}
		s.say("bad: "+x.Name, err)
	}
	return nil
}

func shownFields(list []rules.Field) (out []string) {
	for _, f := range list {
		out = append(out, fmt.Sprintf("%s %x %d", f.Name, f.Data, f.Round))
	}
	return out
}

func wantedFields(list []map[string]json.RawMessage) (out []string) {
	for _, f := range list {
		for name, raw := range f {
			var data hexText
			var locked struct {
				Encrypted hexText
				Round     uint64 `json:"reveal_round"`
			}
			if json.Unmarshal(raw, &data) != nil && json.Unmarshal(raw, &locked) == nil {
				data = locked.Encrypted
			}
			out = append(out, fmt.Sprintf("%s %x %d", name, []byte(data), locked.Round))
		}
	}
	return out
}

func (s *subtensor) timelock(b []byte) error {
	var v struct {
		PublicKey       hexText `json:"public_key"`
		Genesis, Period uint64
		Signature       hexText `json:"signature_round_1000"`
		Payloads        []struct {
			Hotkey       hexText
			UIDs, Values []uint16
			VersionKey   json.Number `json:"version_key"` // digits or text
			Payload      hexText
		}
		Decrypt []struct {
			Name                            string
			Round                           uint64
			Plaintext, Ciphertext, Envelope hexText
		}
		Bad []struct {
			Name       string
			Ciphertext hexText
		}
		RoundAt []struct{ Time, Round uint64 } `json:"round_at"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	beacon := timelock.Beacon{Genesis: v.Genesis, Period: v.Period}
	copy(beacon.PublicKey[:], v.PublicKey)
	s.say("beacon", same(beacon, timelock.Quicknet()))
	for i, p := range v.Payloads {
		key, err := strconv.ParseUint(p.VersionKey.String(), 10, 64)
		got := rules.Payload(p.Hotkey.array(), rules.Weights{UIDs: p.UIDs, Values: p.Values, VersionKey: key})
		s.say(fmt.Sprintf("payload %d", i), errors.Join(err, same(got, []byte(p.Payload))))
	}
	for _, d := range v.Decrypt {
		got, err := timelock.Decrypt(v.Signature, d.Ciphertext)
		err = errors.Join(err, same(string(got), string(d.Plaintext)))
		if len(d.Envelope) > 0 {
			inner, round, e := timelock.Unwrap(d.Envelope)
			err = errors.Join(err, e, same(inner, []byte(d.Ciphertext)), same(round, d.Round))
		}
		s.say(d.Name, errors.Join(err, reencrypt(beacon, d.Round, d.Plaintext, v.Signature)))
	}
	for _, x := range v.Bad {
		var err error
		if got, e := timelock.Decrypt(v.Signature, x.Ciphertext); e == nil {
			err = fmt.Errorf("opened as %x", got)
		}
		s.say("bad: "+x.Name, err)
	}
	for _, r := range v.RoundAt {
		s.say(fmt.Sprintf("round at %d", r.Time), same(beacon.RoundAt(r.Time), r.Round))
	}
	return nil
}

// reencrypt holds our own ciphertexts against the beacon's signature.
func reencrypt(b timelock.Beacon, round uint64, plain, signature []byte) error {
	c, err := b.Encrypt(round, plain)
	if err != nil {
		return err
	}
	got, err := timelock.Decrypt(signature, c)
	return errors.Join(err, same(string(got), string(plain)))
}

func (s *subtensor) reveal(b []byte) error {
	var v struct {
		Cases []struct {
			Name      string
			Last      uint64 `json:"last_epoch_block"`
			Pending   uint64 `json:"pending_epoch_at"`
			Index     uint64 `json:"subnet_epoch_index"`
			Tempo     uint64
			SinceStep uint64 `json:"blocks_since_last_step"`
			Block     uint64 `json:"current_block"`
			Period    uint64 `json:"reveal_period_epochs"`
			Epoch     uint64 `json:"commit_epoch"`
			First     uint64 `json:"first_reveal_block"`
		}
		Rounds []struct {
			Now       float64
			BlockTime float64 `json:"block_time"`
			Blocks    uint64
			Round     uint64
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, c := range v.Cases {
		e := rules.Epochs{Block: c.Block, Tempo: c.Tempo, Last: c.Last, Pending: c.Pending, Index: c.Index, SinceStep: c.SinceStep, Stateful: true}
		r, err := e.At(c.Period)
		s.say(c.Name, errors.Join(err, same([]uint64{r.CommitEpoch, r.First}, []uint64{c.Epoch, c.First})))
	}
	q := timelock.Quicknet()
	for _, r := range v.Rounds {
		s.say(fmt.Sprintf("round %d blocks after %.0f", r.Blocks, r.Now), same(rules.Round(r.Now, r.Blocks, r.BlockTime, q.Genesis, q.Period), r.Round))
	}
	return nil
}

func (s *subtensor) neurons(b []byte) error {
	var v struct {
		Result hexText
		JSON   []struct {
			Hotkey, Coldkey                      protocol.Hotkey
			UID                                  uint16
			NetUID                               uint16
			Active                               bool
			Stake                                [][2]any
			Rank, Emission, Incentive, Consensus uint64
			Trust, ValidatorTrust, Dividends     uint64
			LastUpdate, PruningScore             uint64
			ValidatorPermit                      bool
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	list, err := rules.DecodeNeurons(v.Result)
	if err != nil {
		return err
	}
	if len(list) != len(v.JSON) {
		return fmt.Errorf("%d neurons, want %d", len(list), len(v.JSON))
	}
	for i, n := range list {
		w, stake := v.JSON[i], uint64(0)
		for _, x := range w.Stake {
			amount, _ := x[1].(float64)
			stake += uint64(amount)
		}
		got := fmt.Sprint(n.Hotkey, n.Coldkey, n.UID, n.NetUID, n.Active, n.Stake, n.Rank, n.Emission, n.Incentive, n.Consensus, n.Trust, n.ValidatorTrust, n.Dividends, n.LastUpdate, n.Permit, n.PruningScore)
		s.say(fmt.Sprintf("uid %d", n.UID), same(got, fmt.Sprint(w.Hotkey, w.Coldkey, w.UID, w.NetUID, w.Active, stake, w.Rank, w.Emission, w.Incentive, w.Consensus, w.Trust, w.ValidatorTrust, w.Dividends, w.LastUpdate, w.ValidatorPermit, w.PruningScore)))
	}
	return nil
}

// frames reads what another server says: its headers must link and hash, its errors and
// statuses must have a meaning. Frames that the file cuts are passed by.
func (s *subtensor) frames(b []byte) error {
	var v struct{ Frames []string }
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	named := map[protocol.Hash]bool{}
	for i, f := range v.Frames {
		raw, received := strings.CutPrefix(f, "<- ")
		var frame struct {
			Method string
			Error  *rules.ErrorObject
			Params struct{ Result json.RawMessage }
		}
		if !received || json.Unmarshal([]byte(raw), &frame) != nil {
			continue
		}
		name := fmt.Sprintf("frame %d %s", i, frame.Method)
		switch {
		case frame.Method == "chain_newHead" || frame.Method == "chain_finalizedHead":
			var h runtime.Header
			err := json.Unmarshal(frame.Params.Result, &h)
			if len(named) > 0 && !named[h.Parent] && !named[h.Hash()] {
				err = errors.Join(err, fmt.Errorf("%v does not follow a head before", h.Parent))
			}
			named[h.Hash()] = true
			s.say(name, err)
		case frame.Method == "author_extrinsicUpdate":
			o, block := rules.Status(frame.Params.Result)
			var err error
			if hash, e := runtime.ParseHash(block); block != "" && (e != nil || !named[hash]) {
				err = fmt.Errorf("in block %s, which no head named", block)
			}
			if o.Class != rules.Wait && o.Class != rules.Events {
				err = fmt.Errorf("%v %s", o.Class, o.Reason)
			}
			s.say(name, err)
		case frame.Error != nil:
			o := rules.Pool(*frame.Error)
			var err error
			if want := strings.Contains(frame.Error.Message, "badProof"); (o.Class == rules.Failed) != want || (o.Class != rules.Failed && o.Class != rules.Retry) {
				err = fmt.Errorf("%v %s", o.Class, o.Reason)
			}
			s.say(name, err)
		}
	}
	return nil
}

// shown makes of a decoded value what JSON of the Python SDK has for it.
func shown(v any) any {
	switch v := v.(type) {
	case protocol.Hotkey:
		return v.String()
	case []byte:
		return "0x" + hex.EncodeToString(v)
	case uint64:
		return json.Number(fmt.Sprint(v))
	case *big.Int:
		return json.Number(v.String())
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = shown(x)
		}
		return list
	case runtime.Struct:
		m := map[string]any{}
		for k, x := range v {
			m[k] = shown(x)
		}
		return m
	case runtime.Variant:
		if v.Value == nil {
			return v.Name
		}
		return map[string]any{v.Name: shown(v.Value)}
	}
	return v
}

// jsonOf brings a value into the form that json gives.
func jsonOf(v any) any {
	b, err := json.Marshal(shown(v))
	if err != nil {
		return err
	}
	var out any
	if err := decodeJSON(b, &out); err != nil {
		return err
	}
	return out
}

func (s *subtensor) live(b []byte) error {
	var v struct {
		Constants struct {
			Spec uint32 `json:"specVersion"`
		}
		RPC     struct{ Header runtime.Header }
		Storage []struct {
			Name  string
			Key   hexText
			Value hexText
			JSON  any
		}
		Extrinsics []liveExtrinsic
		API        []struct {
			Method string
			Result hexText
		} `json:"runtime_api"`
		CommitReveal []struct {
			Label          string
			Preimage, Hash hexText
			Fields         *struct {
				Who        protocol.Hotkey
				NetUID     uint16
				UIDs, Vals []uint16
				Salt       []uint16
				VersionKey uint64 `json:"version_key"`
			}
			Call hexText
		} `json:"commit_reveal"`
	}
	if err := decodeJSON(b, &v); err != nil {
		return err
	}
	m, err := s.spec(v.Constants.Spec)
	if err != nil {
		return err
	}
	s.say("header", same(v.RPC.Header.Number > 0 && !v.RPC.Header.Parent.IsZero(), true))
	for _, x := range v.Storage {
		s.say(x.Name, checkLive(m, x.Name, x.Key, x.Value, x.JSON))
	}
	for _, x := range v.Extrinsics {
		s.say(x.Label, x.check(m))
	}
	for _, a := range v.API {
		if strings.HasSuffix(a.Method, "get_neurons_lite") && len(a.Result) > 0 {
			list, err := rules.DecodeNeurons(a.Result)
			s.say(a.Method, errors.Join(err, same(len(list) > 0, true)))
		}
	}
	for _, c := range v.CommitReveal {
		if f := c.Fields; f != nil {
			got := rules.CommitHash(f.Who, f.NetUID, rules.Weights{UIDs: f.UIDs, Values: f.Vals, VersionKey: f.VersionKey}, f.Salt)
			s.say(c.Label, same(got, c.Hash.array()))
		} else if len(c.Call) > 0 {
			_, err := m.DecodeCall(runtime.Call(c.Call))
			s.say(c.Label, err)
		}
	}
	return nil
}

// checkLive decodes a value by its item, which the name gives as pallet.item(keys), and
// builds its key again.
func checkLive(m *runtime.Metadata, name string, key, value []byte, want any) error {
	path, _, _ := strings.Cut(name, "(")
	pallet, item, _ := strings.Cut(path, ".")
	upper := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	it, err := m.Item(upper(pallet), upper(item))
	if err != nil {
		return err
	}
	keys, err := m.SplitKey(it, key)
	if err != nil {
		return err
	}
	again, err := m.Key(it, keys...)
	if err != nil {
		return err
	}
	got, err := m.DecodeValue(it, value)
	if err != nil {
		return err
	}
	err = same(again, key)
	if want != nil {
		err = errors.Join(err, same(jsonOf(got), want))
	}
	return err
}

type liveExtrinsic struct {
	Label     string
	Signer    protocol.Hotkey
	Call      hexText
	Extrinsic hexText
	TxHash    hexText `json:"txHash"`
	Era       hexText
	Nonce     uint64
	Error     *string
}

func (x *liveExtrinsic) check(m *runtime.Metadata) error {
	d, err := m.DecodeExtrinsic(x.Extrinsic)
	if err != nil {
		return err
	}
	hash := runtime.Blake2_256(x.Extrinsic)
	err = errors.Join(same(d.Signer, x.Signer), same([]byte(d.Call), []byte(x.Call)), same(hash[:], []byte(x.TxHash)), same(d.Context.Era.Append(nil), []byte(x.Era)), same(d.Context.Nonce, x.Nonce))
	if x.Error != nil {
		if o := rules.Dispatch(*x.Error); o.Class != rules.Failed || !strings.Contains(o.Reason, *x.Error) {
			err = errors.Join(err, fmt.Errorf("%v", o))
		}
	}
	return err
}

func (s *subtensor) node(b []byte) error {
	var v nodeFile
	if err := decodeJSON(b, &v); err != nil {
		return err
	}
	m, err := s.metadata(fmt.Sprintf("metadata/%d-v14.scale.gz", v.Network.Spec))
	if err != nil {
		return err
	}
	m15, err := s.metadata(fmt.Sprintf("metadata/%d-v15.scale.gz", v.Network.Spec))
	if err != nil {
		return err
	}
	for _, c := range v.Constants {
		got, err := m.Constant(c.Module, c.Name)
		s.say("constant "+c.Name, errors.Join(err, same(jsonOf(got), c.Decoded)))
	}
	for _, x := range v.Values {
		s.say("storage "+x.Item, x.check(m))
	}
	for _, x := range v.Maps {
		s.say("map "+x.Item, x.checkMap(m))
	}
	for _, c := range v.Calls {
		name := c.API + "_" + c.Method
		args, err := m15.EncodeArguments(name, c.Params...)
		err = errors.Join(err, same(args, []byte(c.Encoded)))
		got, e := m15.DecodeAnswer(name, c.Raw)
		s.say(name, errors.Join(err, e, same(jsonOf(got), c.Decoded)))
	}
	s.say("events", v.checkEvents(m))
	s.say("block", v.checkBlock(m))
	return nil
}

type nodeItem struct {
	Pallet  string
	Item    string `json:"storage_function"`
	Params  []any
	Key     hexText  `json:"key_hex"`
	Raw     *hexText `json:"raw_hex"`
	Decoded any
	Prefix  hexText      `json:"prefix_hex"`
	RawKeys []hexText    `json:"raw_keys"`
	Changes [][2]hexText `json:"raw_changes"`
	Pairs   [][2]any
}

func (x *nodeItem) check(m *runtime.Metadata) error {
	it, err := m.Item(x.Pallet, x.Item)
	if err != nil {
		return err
	}
	key, err := m.Key(it, x.Params...)
	var raw []byte
	if x.Raw != nil {
		raw = *x.Raw
	}
	got, e := m.DecodeValue(it, raw)
	return errors.Join(err, e, same(key, []byte(x.Key)), same(jsonOf(got), x.Decoded))
}

func (x *nodeItem) checkMap(m *runtime.Metadata) error {
	it, err := m.Item(x.Pallet, x.Item)
	if err != nil {
		return err
	}
	prefix, err := m.Key(it, x.Params...)
	if err = errors.Join(err, same(prefix, []byte(x.Prefix)), same(len(x.Changes), len(x.Pairs))); err != nil {
		return err
	}
	for i, c := range x.Changes {
		keys, err := m.SplitKey(it, c[0])
		if err != nil {
			return err
		}
		value, err := m.DecodeValue(it, c[1])
		if err != nil {
			return err
		}
		if err := errors.Join(same(jsonOf(keys[len(keys)-1]), x.Pairs[i][0]), same(jsonOf(value), x.Pairs[i][1])); err != nil {
			return err
		}
	}
	return nil
}

type nodeFile struct {
	Network struct {
		Spec uint32 `json:"spec_version"`
	}
	Constants []struct {
		Module, Name string
		Decoded      any
	}
	Values []nodeItem `json:"storage_values"`
	Maps   []nodeItem `json:"query_maps"`
	Calls  []struct {
		API, Method string
		Params      []any
		Encoded     hexText `json:"encoded_params_hex"`
		Raw         hexText `json:"raw_hex"`
		Decoded     any
	} `json:"runtime_calls"`
	Events struct {
		Raw     hexText `json:"raw_hex"`
		Decoded []struct {
			Module string `json:"module_id"`
			Event  string `json:"event_id"`
			Index  *int   `json:"extrinsic_idx"`
			Attrs  any    `json:"attributes"`
		}
	}
	Block struct {
		Hash hexText `json:"block_hash"`
		Raw  struct {
			Block struct {
				Header     runtime.Header
				Extrinsics []hexText
			}
		}
		Extrinsics []struct {
			Hash    hexText `json:"extrinsic_hash"`
			Address *protocol.Hotkey
			Nonce   uint64
			Call    struct {
				Function string `json:"call_function"`
				Module   string `json:"call_module"`
				Args     []struct {
					Name  string
					Value any
				} `json:"call_args"`
				Hash hexText `json:"call_hash"`
			}
		} `json:"decoded_extrinsics"`
	}
}

func (v *nodeFile) checkEvents(m *runtime.Metadata) error {
	got, err := m.DecodeEvents(v.Events.Raw)
	if err != nil {
		return err
	}
	if len(got) != len(v.Events.Decoded) {
		return fmt.Errorf("%d events, want %d", len(got), len(v.Events.Decoded))
	}
	for i, w := range v.Events.Decoded {
		index := -1
		if w.Index != nil {
			index = *w.Index
		}
		if err := errors.Join(same([]any{got[i].Pallet, got[i].Name, got[i].Extrinsic}, []any{w.Module, w.Event, index}), same(jsonOf(got[i].Value), w.Attrs)); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return m.Outcome(got, 2)
}

func (v *nodeFile) checkBlock(m *runtime.Metadata) error {
	if err := same([32]byte(v.Block.Raw.Block.Header.Hash()), v.Block.Hash.array()); err != nil {
		return err
	}
	for i, x := range v.Block.Raw.Block.Extrinsics {
		want := v.Block.Extrinsics[i]
		got, err := m.DecodeExtrinsic(x)
		if err != nil {
			return err
		}
		hash, call := runtime.Blake2_256(x), runtime.Blake2_256(got.Call)
		err = errors.Join(same(hash[:], []byte(want.Hash)), same(call[:], []byte(want.Call.Hash)), same([]string{got.Decoded.Pallet, got.Decoded.Name}, []string{want.Call.Module, want.Call.Function}))
		if want.Address != nil {
			err = errors.Join(err, same(got.Signer, *want.Address), same(got.Context.Nonce, want.Nonce))
		}
		for _, a := range want.Call.Args {
			value := got.Decoded.Args[a.Name]
			if id, ok := value.(runtime.Variant); ok && id.Name == "Id" {
				value = id.Value
			}
			err = errors.Join(err, same(jsonOf(value), a.Value))
		}
		if err != nil {
			return fmt.Errorf("extrinsic %d: %w", i, err)
		}
	}
	return nil
}

// lines splits JSON lines.
func lines(b []byte) (out [][]byte) {
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		out = append(out, bytes.Clone(sc.Bytes()))
	}
	return out
}
