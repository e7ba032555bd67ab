package fakenode

import (
	"encoding/binary"
	"math/big"
	"slices"
	"time"

	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/scale"
	"templar/internal/chain/bittensor/timelock"
	"templar/protocol"
)

const module = "SubtensorModule"

// columns are the lists that have a cell for each uid.
var columns = []string{"Incentive", "Dividends", "LastUpdate", "ValidatorPermit", "Active"}

func frameVec(b []byte) []byte { return scale.AppendVec(nil, b) }

type account struct {
	nonce uint64
	free  uint64
	raw   runtime.Struct
}

func (v view) account(h protocol.Hotkey) account {
	s, _ := v.get("System", "Account", h).(runtime.Struct)
	data, _ := s["data"].(runtime.Struct)
	nonce, _ := runtime.U64(s["nonce"])
	free, _ := runtime.U64(data["free"])
	return account{nonce, free, s}
}

func (v view) setAccount(h protocol.Hotkey, a account) {
	data, _ := a.raw["data"].(runtime.Struct)
	d := runtime.Struct{}
	for k, x := range data {
		d[k] = x
	}
	s := runtime.Struct{}
	for k, x := range a.raw {
		s[k] = x
	}
	d["free"], s["nonce"], s["data"], s["providers"] = a.free, a.nonce, d, uint64(1)
	v.set("System", "Account", s, h)
}

func (v view) cell(column string, netuid, uid uint16, value any) {
	list := v.list(module, column, netuid)
	for len(list) <= int(uid) {
		zero := any(uint64(0))
		if column == "ValidatorPermit" || column == "Active" {
			zero = false
		}
		list = append(list, zero)
	}
	list = slices.Clone(list)
	list[uid] = value
	v.set(module, column, list, netuid)
}

func (v view) uid(netuid uint16, h protocol.Hotkey) (uint16, bool) {
	it := v.item(module, "Uids")
	raw := v.s.get(v.key(it, []any{netuid, h}))
	if raw == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint16(raw), true
}

func (v view) weights(netuid, uid uint16) (list [][2]uint64) {
	for _, x := range v.list(module, "Weights", netuid, uid) {
		pair, _ := x.([]any)
		a, _ := runtime.U64(pair[0])
		b, _ := runtime.U64(pair[1])
		list = append(list, [2]uint64{a, b})
	}
	return list
}

// register gives a hotkey a slot: a new one, or the newest of the least incentive.
func (n *Node) register(v view, hotkey, coldkey protocol.Hotkey, at uint64) uint16 {
	id := n.cfg.NetUID
	size := v.number(module, "SubnetworkN", id)
	uid := uint16(size)
	if size >= n.cfg.MaxUIDs {
		uid = n.leastUseful(v)
		old, _ := v.get(module, "Keys", id, uid).(protocol.Hotkey)
		v.remove(module, "Uids", id, old)
		v.remove(module, "Weights", id, uid)
	} else {
		v.set(module, "SubnetworkN", size+1, id)
	}
	v.set(module, "Keys", hotkey, id, uid)
	v.set(module, "Uids", uid, id, hotkey)
	v.set(module, "BlockAtRegistration", at, id, uid)
	v.set(module, "Owner", coldkey, hotkey)
	v.cell("Incentive", id, uid, uint64(0))
	v.cell("Dividends", id, uid, uint64(0))
	v.cell("LastUpdate", id, uid, at)
	v.cell("ValidatorPermit", id, uid, false)
	v.cell("Active", id, uid, true)
	return uid
}

func (n *Node) leastUseful(v view) uint16 {
	incentive := v.list(module, "Incentive", n.cfg.NetUID)
	least, best := uint16(len(incentive)-1), ^uint64(0)
	for uid := len(incentive) - 1; uid >= 0; uid-- {
		hotkey, _ := v.get(module, "Keys", n.cfg.NetUID, uint16(uid)).(protocol.Hotkey)
		x, _ := runtime.U64(incentive[uid])
		if x += v.number(module, "TotalHotkeyAlpha", hotkey, n.cfg.NetUID); x < best {
			least, best = uint16(uid), x
		}
	}
	return least
}

// permits gives validator permits to the highest stakes.
func (n *Node) permits(v view) {
	id := n.cfg.NetUID
	for uid := range uint16(v.number(module, "SubnetworkN", id)) {
		hotkey, _ := v.get(module, "Keys", id, uid).(protocol.Hotkey)
		v.cell("ValidatorPermit", id, uid, v.number(module, "TotalHotkeyAlpha", hotkey, id) > 0)
	}
}

// execution is one block's.
type execution struct {
	n          *Node
	v          view
	number     uint64
	at         time.Time
	events     []any
	registered uint64
}

func phase(index int) any {
	if index < 0 {
		return "Initialization"
	}
	return runtime.Variant{Name: "ApplyExtrinsic", Value: uint64(index)}
}

func (x *execution) event(index int, pallet, name string, value any) {
	x.events = append(x.events, runtime.Struct{"phase": phase(index), "event": runtime.Variant{Name: pallet, Value: runtime.Variant{Name: name, Value: value}}, "topics": []any{}})
}

func info(class string) any {
	return runtime.Struct{"weight": runtime.Struct{"ref_time": uint64(1000), "proof_size": uint64(10)}, "class": class, "pays_fee": "No"}
}

func success(class string) any { return runtime.Struct{"dispatch_info": info(class)} }

// runs reports whether an epoch begins with this block.
func (x *execution) runs() bool {
	id, v := x.n.cfg.NetUID, x.v
	tempo := v.number(module, "Tempo", id)
	if tempo == 0 {
		return false
	}
	if !v.has(module, "SubnetEpochIndex") {
		return (x.number+uint64(id)+1)%(tempo+1) == 0
	}
	pending := v.number(module, "PendingEpochAt", id)
	return pending > 0 && x.number >= pending || x.number-v.number(module, "LastEpochBlock", id) >= tempo
}

// epoch is the number of the epoch that this block is in.
func (x *execution) epoch(runs bool) uint64 {
	id := x.n.cfg.NetUID
	if !x.v.has(module, "SubnetEpochIndex") {
		return (x.number + uint64(id) + 1) / (x.v.number(module, "Tempo", id) + 1)
	}
	e := x.v.number(module, "SubnetEpochIndex", id)
	if runs {
		e++
	}
	return e
}

// initialise does what the chain does before a block's extrinsics.
func (x *execution) initialise() {
	id, v := x.n.cfg.NetUID, x.v
	x.event(-1, "Balances", "Deposit", runtime.Struct{"who": protocol.Hotkey{}, "amount": uint64(1)}) // of another pallet
	beacon := timelock.Beacon{Genesis: uint64(x.n.cfg.Start.Unix()), Period: 3}
	if x.number >= x.n.mu.hold && v.has("Drand", "LastStoredRound") {
		v.set("Drand", "LastStoredRound", beacon.RoundAt(uint64(x.at.Unix())+1)-1)
	}
	runs := x.runs()
	if v.has(module, "TimelockedWeightCommits") {
		x.revealTimelocked(x.epoch(runs))
	}
	if !v.has(module, "SubnetEpochIndex") {
		if runs {
			x.runEpoch()
		}
		return
	}
	v.set(module, "BlocksSinceLastStep", v.number(module, "BlocksSinceLastStep", id)+1, id)
	if runs {
		v.set(module, "LastEpochBlock", x.number, id)
		v.set(module, "PendingEpochAt", uint64(0), id)
		v.set(module, "SubnetEpochIndex", v.number(module, "SubnetEpochIndex", id)+1, id)
		v.set(module, "BlocksSinceLastStep", uint64(0), id)
		x.runEpoch()
	}
}

// revealTimelocked opens the commits whose epoch has come, and drops those whose is over.
func (x *execution) revealTimelocked(epoch uint64) {
	id, v := x.n.cfg.NetUID, x.v
	period := v.number(module, "RevealPeriodEpochs", id)
	if epoch < period {
		return
	}
	for old := range epoch - period {
		v.remove(module, "TimelockedWeightCommits", id, old)
	}
	stored := v.number("Drand", "LastStoredRound")
	var left []any
	for _, c := range v.list(module, "TimelockedWeightCommits", id, epoch-period) {
		parts, _ := c.([]any)
		who, _ := parts[0].(protocol.Hotkey)
		sealed, _ := parts[2].([]byte)
		round, _ := runtime.U64(parts[3])
		if round > stored {
			left = append(left, c)
			continue
		}
		x.openCommit(who, sealed, round)
	}
	v.set(module, "TimelockedWeightCommits", append([]any{}, left...), id, epoch-period)
}

func (x *execution) openCommit(who protocol.Hotkey, sealed []byte, round uint64) {
	sig, err := x.n.beacon.Sign(round)
	if err != nil {
		return
	}
	plain, err := timelock.Decrypt(sig, sealed)
	if err != nil {
		return
	}
	key, w, err := rules.DecodePayload(plain)
	uid, ok := x.v.uid(x.n.cfg.NetUID, who)
	if err != nil || key != who || !ok {
		return
	}
	x.storeWeights(uid, w.UIDs, w.Values)
	x.event(-1, module, "TimelockedWeightsRevealed", []any{x.n.cfg.NetUID, who})
}

func (x *execution) storeWeights(uid uint16, uids, values []uint16) {
	list := []any{}
	for i, u := range uids {
		list = append(list, []any{u, values[i]})
	}
	x.v.set(module, "Weights", list, x.n.cfg.NetUID, uid)
}

// runEpoch turns weights into incentive, by stake, in a much simpler way than the chain.
func (x *execution) runEpoch() {
	id, v := x.n.cfg.NetUID, x.v
	size := int(v.number(module, "SubnetworkN", id))
	x.n.permits(v)
	earned, dividends := make([]*big.Int, size), make([]uint64, size)
	total := new(big.Int)
	for i := range earned {
		earned[i] = new(big.Int)
	}
	for uid := range uint16(size) {
		hotkey, _ := v.get(module, "Keys", id, uid).(protocol.Hotkey)
		stake, sum := v.number(module, "TotalHotkeyAlpha", hotkey, id), uint64(0)
		row := v.weights(id, uid)
		for _, w := range row {
			sum += w[1]
		}
		if stake == 0 || sum == 0 {
			continue
		}
		dividends[uid] = 65535
		for _, w := range row {
			share := new(big.Int).Mul(new(big.Int).SetUint64(stake), new(big.Int).SetUint64(w[1]*1000/sum))
			earned[w[0]].Add(earned[w[0]], share)
			total.Add(total, share)
		}
	}
	for uid := range uint16(size) {
		incentive := uint64(0)
		if total.Sign() > 0 {
			q := new(big.Int).Mul(earned[uid], big.NewInt(65535))
			incentive = q.Div(q, total).Uint64()
		}
		v.cell("Incentive", id, uid, incentive)
		v.cell("Dividends", id, uid, dividends[uid])
	}
}

// apply executes a signed extrinsic.
func (x *execution) apply(index int, s runtime.Signed) Included {
	a := x.v.account(s.Signer)
	a.nonce++
	x.v.setAccount(s.Signer, a)
	r := Included{Block: x.number, Signer: s.Signer, Nonce: s.Context.Nonce, Call: s.Decoded.Pallet + "." + s.Decoded.Name}
	saved := len(x.events)
	before := x.v.s
	x.v.s = &storage{parent: before, delta: map[string][]byte{}}
	pallet, name := x.dispatch(index, s)
	inner := x.v.s.delta
	x.v.s = before
	if name == "" {
		for k, v := range inner {
			before.delta[k] = v
		}
		x.event(index, "System", "ExtrinsicSuccess", success("Normal"))
		return r
	}
	x.events = x.events[:saved]
	r.Error = name
	x.event(index, "System", "ExtrinsicFailed", runtime.Struct{"dispatch_error": x.n.dispatchError(x.v.m, pallet, name), "dispatch_info": info("Normal")})
	return r
}

func (n *Node) dispatchError(m *runtime.Metadata, pallet, name string) any {
	for p := range 256 {
		for e := range 256 {
			if a, b, ok := m.ErrorName(uint8(p), uint8(e)); ok && a == pallet && b == name {
				return runtime.Variant{Name: "Module", Value: runtime.Struct{"index": uint64(p), "error": []byte{byte(e), 0, 0, 0}}}
			} else if a == "" {
				break
			}
		}
	}
	return runtime.Variant{Name: "Other"}
}

// dispatch makes a call. It returns the error's pallet and name, empty for success.
func (x *execution) dispatch(index int, s runtime.Signed) (pallet, name string) {
	args := s.Decoded.Args
	netuid, _ := runtime.U64(args["netuid"])
	if s.Decoded.Pallet == "System" && s.Decoded.Name == "remark" {
		return "", ""
	}
	if netuid != uint64(x.n.cfg.NetUID) {
		return module, "MechanismDoesNotExist"
	}
	switch s.Decoded.Pallet + "." + s.Decoded.Name {
	case "SubtensorModule.burned_register", "SubtensorModule.register_limit":
		return module, x.registerCall(index, s)
	case "Commitments.set_commitment":
		return "Commitments", x.setCommitment(index, s)
	case "SubtensorModule.set_weights":
		return module, x.setWeights(index, s)
	case "SubtensorModule.commit_weights":
		return module, x.commitWeights(index, s)
	case "SubtensorModule.reveal_weights":
		return module, x.revealWeights(index, s)
	case "SubtensorModule.commit_timelocked_weights":
		return module, x.commitTimelocked(index, s)
	}
	return "System", "CallFiltered"
}

func (x *execution) registerCall(index int, s runtime.Signed) string {
	hotkey, _ := s.Decoded.Args["hotkey"].(protocol.Hotkey)
	id, v := x.n.cfg.NetUID, x.v
	price := v.number(module, "Burn", id)
	if limit, ok := s.Decoded.Args["limit_price"]; ok {
		if l, _ := runtime.U64(limit); price > l {
			return "RegistrationPriceLimitExceeded"
		}
	}
	if x.registered >= x.n.cfg.PerBlock {
		return "TooManyRegistrationsThisBlock"
	}
	if _, ok := v.uid(id, hotkey); ok {
		return "HotKeyAlreadyRegisteredInSubNet"
	}
	a := v.account(s.Signer)
	if a.free < price {
		return "NotEnoughBalanceToStake"
	}
	a.free -= price
	v.setAccount(s.Signer, a)
	uid := x.n.register(v, hotkey, s.Signer, x.number)
	x.registered++
	x.event(index, module, "NeuronRegistered", []any{id, uid, hotkey})
	return ""
}

func (x *execution) setCommitment(index int, s runtime.Signed) string {
	id, v := x.n.cfg.NetUID, x.v
	if _, ok := v.uid(id, s.Signer); !ok {
		return "AccountNotAllowedCommit"
	}
	info, _ := s.Decoded.Args["info"].(runtime.Struct)
	fields, _ := info["fields"].([]any)
	most, _ := v.m.Constant("Commitments", "MaxFields")
	if limit, err := runtime.U64(most); err == nil && uint64(len(fields)) > limit {
		return "TooManyFieldsInCommitmentInfo"
	}
	if v.has("Commitments", "UsedSpaceOf") {
		if !x.space(s.Signer, fields) {
			return "SpaceLimitExceeded"
		}
	} else if last, err := runtime.U64(v.get("Commitments", "LastCommitment", id, s.Signer)); err == nil && x.number < last+x.commitLimit() {
		return "CommitmentSetRateLimitExceeded"
	}
	v.set("Commitments", "LastCommitment", x.number, id, s.Signer)
	v.set("Commitments", "CommitmentOf", runtime.Struct{"deposit": uint64(0), "block": x.number, "info": info}, id, s.Signer)
	x.event(index, "Commitments", "Commitment", runtime.Struct{"netuid": id, "who": s.Signer})
	return ""
}

// commitLimit is how many blocks lie between two commitments, where the runtime limits them so.
func (x *execution) commitLimit() uint64 {
	c, _ := x.v.m.Constant("Commitments", "RateLimit")
	limit, _ := runtime.U64(c)
	return limit
}

// space counts the bytes of a commitment, and reports whether the epoch has room for them.
func (x *execution) space(who protocol.Hotkey, fields []any) bool {
	id, v := x.n.cfg.NetUID, x.v
	need := uint64(0)
	for _, f := range fields {
		field, _ := f.(runtime.Variant)
		data, _ := field.Value.([]byte)
		need += uint64(len(data))
	}
	used, epoch := uint64(0), x.epoch(false)
	if old, ok := v.get("Commitments", "UsedSpaceOf", id, who).(runtime.Struct); ok {
		if last, err := runtime.U64(old["last_epoch"]); err == nil && last == epoch {
			used, _ = runtime.U64(old["used_space"])
		}
	}
	if used += max(need, 100); used > v.number("Commitments", "MaxSpace") {
		return false
	}
	v.set("Commitments", "UsedSpaceOf", runtime.Struct{"last_epoch": epoch, "used_space": used}, id, who)
	return true
}

func u16s(v any) (list []uint16) {
	l, _ := v.([]any)
	for _, e := range l {
		n, _ := runtime.U64(e)
		list = append(list, uint16(n))
	}
	return list
}

// checkWeights applies the chain's rules for weights.
func (x *execution) checkWeights(s runtime.Signed, uids, values []uint16, key uint64) (uid uint16, fault string) {
	id, v := x.n.cfg.NetUID, x.v
	uid, ok := v.uid(id, s.Signer)
	size := v.number(module, "SubnetworkN", id)
	switch {
	case !ok:
		return uid, "HotKeyNotRegisteredInSubNet"
	case len(uids) != len(values):
		return uid, "WeightVecNotEqualSize"
	case key < v.number(module, "WeightsVersionKey", id):
		return uid, "IncorrectWeightVersionKey"
	}
	for i, u := range uids {
		if uint64(u) >= size {
			return uid, "UidVecContainInvalidOne"
		}
		if slices.Contains(uids[:i], u) {
			return uid, "DuplicateUids"
		}
	}
	self := len(uids) == 1 && uids[0] == uid
	permits := v.list(module, "ValidatorPermit", id)
	if !self && permits[uid] != true {
		return uid, "NeuronNoValidatorPermit"
	}
	if !self && uint64(len(uids)) < min(v.number(module, "MinAllowedWeights", id), size) {
		return uid, "WeightVecLengthIsLow"
	}
	return uid, ""
}

// tooFast is the rate limit, which counts commits as weights.
func (x *execution) tooFast(uid uint16) bool {
	id, v := x.n.cfg.NetUID, x.v
	limit := v.number(module, "WeightsSetRateLimit", id)
	last, _ := runtime.U64(v.list(module, "LastUpdate", id)[uid])
	return last > 0 && x.number-last < limit
}

func (x *execution) setWeights(index int, s runtime.Signed) string {
	id, v := x.n.cfg.NetUID, x.v
	if v.get(module, "CommitRevealWeightsEnabled", id) == true {
		return "CommitRevealEnabled"
	}
	key, _ := runtime.U64(s.Decoded.Args["version_key"])
	uids, values := u16s(s.Decoded.Args["dests"]), u16s(s.Decoded.Args["weights"])
	uid, fault := x.checkWeights(s, uids, values, key)
	if fault != "" {
		return fault
	}
	if x.tooFast(uid) {
		return "SettingWeightsTooFast"
	}
	x.storeWeights(uid, uids, values)
	v.cell("LastUpdate", id, uid, x.number)
	x.event(index, module, "WeightsSet", []any{id, uid})
	return ""
}

// commit is what commits of both kinds have in common.
func (x *execution) commit(s runtime.Signed) (uid uint16, fault string) {
	id, v := x.n.cfg.NetUID, x.v
	uid, ok := v.uid(id, s.Signer)
	switch {
	case v.get(module, "CommitRevealWeightsEnabled", id) != true:
		return uid, "CommitRevealDisabled"
	case !ok:
		return uid, "HotKeyNotRegisteredInSubNet"
	case x.tooFast(uid):
		return uid, "CommittingWeightsTooFast"
	}
	v.cell("LastUpdate", id, uid, x.number)
	return uid, ""
}

func (x *execution) commitWeights(index int, s runtime.Signed) string {
	id, v := x.n.cfg.NetUID, x.v
	if _, fault := x.commit(s); fault != "" {
		return fault
	}
	length := v.number(module, "Tempo", id) + 1
	first := (x.epoch(false)+v.number(module, "RevealPeriodEpochs", id))*length - uint64(id) - 1
	list := append(v.list(module, "WeightCommits", id, s.Signer), []any{s.Decoded.Args["commit_hash"], x.number, first, first + length - 1})
	v.set(module, "WeightCommits", list, id, s.Signer)
	x.event(index, module, "WeightsCommitted", []any{s.Signer, id, s.Decoded.Args["commit_hash"]})
	return ""
}

func (x *execution) revealWeights(index int, s runtime.Signed) string {
	id, v, a := x.n.cfg.NetUID, x.v, s.Decoded.Args
	w := rules.Weights{UIDs: u16s(a["uids"]), Values: u16s(a["values"])}
	w.VersionKey, _ = runtime.U64(a["version_key"])
	hash := rules.CommitHash(s.Signer, id, w, u16s(a["salt"]))
	list := v.list(module, "WeightCommits", id, s.Signer)
	if len(list) == 0 {
		return "NoWeightsCommitFound"
	}
	for i, c := range list {
		parts, _ := c.([]any)
		got, _ := parts[0].([]byte)
		first, _ := runtime.U64(parts[2])
		last, _ := runtime.U64(parts[3])
		switch {
		case string(got) != string(hash[:]):
			continue
		case x.number < first:
			return "RevealTooEarly"
		case x.number > last:
			return "ExpiredWeightCommit"
		}
		uid, fault := x.checkWeights(s, w.UIDs, w.Values, w.VersionKey)
		if fault != "" {
			return fault
		}
		x.storeWeights(uid, w.UIDs, w.Values)
		v.set(module, "WeightCommits", slices.Delete(slices.Clone(list), i, i+1), id, s.Signer)
		x.event(index, module, "WeightsRevealed", []any{s.Signer, id, hash})
		return ""
	}
	return "InvalidRevealCommitHashNotMatch"
}

func (x *execution) commitTimelocked(index int, s runtime.Signed) string {
	id, v, a := x.n.cfg.NetUID, x.v, s.Decoded.Args
	version, _ := runtime.U64(a["commit_reveal_version"])
	round, _ := runtime.U64(a["reveal_round"])
	if version != v.number(module, "CommitRevealWeightsVersion") {
		return "IncorrectCommitRevealVersion"
	}
	if round <= v.number("Drand", "LastStoredRound") {
		return "InvalidRevealRound"
	}
	if _, fault := x.commit(s); fault != "" {
		return fault
	}
	epoch := x.epoch(false)
	list := append(v.list(module, "TimelockedWeightCommits", id, epoch), []any{s.Signer, x.number, a["commit"], round})
	if len(list) > 10 {
		return "TooManyUnrevealedCommits"
	}
	v.set(module, "TimelockedWeightCommits", list, id, epoch)
	x.event(index, module, "TimelockedWeightsCommitted", []any{s.Signer, id, runtime.Blake2_256([]byte{1}), round})
	return ""
}

// neurons is the answer of get_neurons_lite, in a layout that is written out here again.
func (n *Node) neurons(v view) []byte {
	id := n.cfg.NetUID
	size := v.number(module, "SubnetworkN", id)
	b := scale.AppendCompact(nil, size)
	column := func(name string, uid uint16) uint64 {
		list := v.list(module, name, id)
		if int(uid) >= len(list) {
			return 0
		}
		if x, ok := list[uid].(bool); ok {
			if x {
				return 1
			}
			return 0
		}
		x, _ := runtime.U64(list[uid])
		return x
	}
	for uid := range uint16(size) {
		hotkey, _ := v.get(module, "Keys", id, uid).(protocol.Hotkey)
		coldkey, _ := v.get(module, "Owner", hotkey).(protocol.Hotkey)
		b = append(append(b, hotkey[:]...), coldkey[:]...)
		b = scale.AppendCompact(scale.AppendCompact(b, uint64(uid)), uint64(id))
		b = append(b, byte(column("Active", uid)))
		b = append(b, make([]byte, 8+4+16+2+1+1+1+1)...) // axon
		b = append(b, make([]byte, 8+4+16+2+1)...)       // prometheus
		b = append(scale.AppendCompact(b, 1), coldkey[:]...)
		b = scale.AppendCompact(b, v.number(module, "TotalHotkeyAlpha", hotkey, id))
		b = scale.AppendCompact(scale.AppendCompact(b, 0), 0) // rank, emission
		b = scale.AppendCompact(b, column("Incentive", uid))
		b = append(b, 0, 0, 0) // consensus, trust, validator trust
		b = scale.AppendCompact(b, column("Dividends", uid))
		b = scale.AppendCompact(b, column("LastUpdate", uid))
		b = append(b, byte(column("ValidatorPermit", uid)))
		b = scale.AppendCompact(b, 0)
	}
	if n.cfg.Wrapped {
		return frameVec(b)
	}
	return b
}
