package wire

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"templar/method"
	"templar/protocol"
)

const testTerm = 2

func testAggregate(t testing.TB, m *method.Method, s protocol.Signer) (*Aggregate, []byte) {
	t.Helper()
	a := &Aggregate{
		Run: protocol.Hash{1, 2}, Window: 77, Term: testTerm, Start: 70, Origin: protocol.Hash{5},
		UploadFrom: time.Unix(1_700_000_000, 123_456_789).UTC(), Delta: 10 * time.Second,
		LearningRate: 4e-4, Previous: protocol.Hash{7},
		Included:   []Included{{3, protocol.Hotkey{3}, protocol.Hash{33}}, {300, protocol.Hotkey{4}, protocol.Hash{44}}},
		Skipped:    []Skipped{{4, protocol.VerdictLate}, {5, protocol.VerdictMissing}},
		GatherTime: time.Second, AggregateTime: time.Millisecond, Aggregator: s.Hotkey(),
		Body: m.Reduce([]method.Payload{testPayload(t, m, testValues, 1), testPayload(t, m, testValues, 2)}).Bytes(),
	}
	b, err := EncodeAggregate(a, formatOf(m), s)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestAggregateRoundTrip(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	a, b := testAggregate(t, m, s)
	standby := newSigner(2).Hotkey()
	got, hash, v := DecodeAggregate(b, formatOf(m), a.Run, a.Window, a.Term, only(standby, s.Hotkey()))
	if !v.OK() || !reflect.DeepEqual(got, a) {
		t.Fatalf("decoded %+v, %v, want %+v", got, v, a)
	}
	if hash != AggregateHash(b) || hash.IsZero() {
		t.Errorf("content hash is %v for the reader, %v for the publisher", hash, AggregateHash(b))
	}
	if size, bound := int64(len(b)), MaxAggregateSize(formatOf(m), 4); size > bound {
		t.Errorf("%d bytes, over the bound %d", size, bound)
	}
}

func TestAggregateHashLeavesTheSignatureOut(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	_, one := testAggregate(t, m, s)
	_, two := testAggregate(t, m, s)
	if bytes.Equal(one, two) || AggregateHash(one) != AggregateHash(two) {
		t.Error("signing again must give another signature and the same content hash")
	}
}

func TestEmptyAggregate(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	a, _ := testAggregate(t, m, s)
	a.Included, a.Body = nil, nil
	b, err := EncodeAggregate(a, formatOf(m), s)
	if err != nil {
		t.Fatal(err)
	}
	got, _, v := DecodeAggregate(b, formatOf(m), a.Run, a.Window, a.Term, only(s.Hotkey()))
	if !v.OK() || got.Body != nil || len(got.Included) != 0 {
		t.Errorf("decoded %+v, %v", got, v)
	}
}

func TestEncodeAggregateRefuses(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	for name, change := range map[string]func(*Aggregate){
		"another signer":        func(a *Aggregate) { a.Aggregator = newSigner(2).Hotkey() },
		"before the start":      func(a *Aggregate) { a.Start = a.Window + 1 },
		"negative D":            func(a *Aggregate) { a.Delta = -1 },
		"learning rate NaN":     func(a *Aggregate) { a.LearningRate = float32(math.NaN()) },
		"learning rate below 0": func(a *Aggregate) { a.LearningRate = -1 },
		"no update":             func(a *Aggregate) { a.Body = nil },
		"update of no peer":     func(a *Aggregate) { a.Included = nil },
		"included disorder":     func(a *Aggregate) { slices.Reverse(a.Included) },
		"included twice":        func(a *Aggregate) { a.Included[1].UID = a.Included[0].UID },
		"skipped disorder":      func(a *Aggregate) { slices.Reverse(a.Skipped) },
		"in and out":            func(a *Aggregate) { a.Skipped[0].UID = a.Included[0].UID },
		"skipped though ok":     func(a *Aggregate) { a.Skipped[0].Verdict = protocol.VerdictOK },
		"skipped unjudged":      func(a *Aggregate) { a.Skipped[0].Verdict = protocol.VerdictNone },
		"no such verdict":       func(a *Aggregate) { a.Skipped[0].Verdict = 200 },
	} {
		a, _ := testAggregate(t, m, s)
		change(a)
		if _, err := EncodeAggregate(a, formatOf(m), s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// aggregateCases are the ways in which an Aggregate can be wrong.
func aggregateCases(t testing.TB) map[string]verdictCase {
	t.Helper()
	m, s := testMethod(t), newSigner(1)
	_, good := testAggregate(t, m, s)
	inner := body(good)
	reseal := func(body []byte) []byte { return resealed(t, s, good, body) }
	included := 148                          // where the list begins
	skipped := included + 2 + 2*includedSize // and the next
	named := skipped + 2 + 2*skippedSize     // and the method's name
	update := named + formatOf(m).size()     // and its update
	cases := envelopeCases(good)
	maps.Copy(cases, map[string]verdictCase{
		"another term":         {reseal(edited(inner, 0, 3)), protocol.VerdictWrongContext},
		"signed by another":    {resealed(t, newSigner(2), good, inner), protocol.VerdictBadSignature},
		"no body":              {reseal(le64(testTerm)), protocol.VerdictMalformed},
		"cut in the lists":     {reseal(inner[:skipped]), protocol.VerdictMalformed},
		"too many included":    {reseal(edited(inner, included, 0xff, 0xff)), protocol.VerdictMalformed},
		"too many skipped":     {reseal(edited(inner, skipped, 0xff, 0xff)), protocol.VerdictMalformed},
		"before the start":     {reseal(edited(inner, 8, le64(78)...)), protocol.VerdictMalformed},
		"negative D":           {reseal(edited(inner, 56, le64(1<<63)...)), protocol.VerdictMalformed},
		"learning rate NaN":    {reseal(edited(inner, 64, leFloat(float32(math.NaN()))...)), protocol.VerdictNonFinite},
		"learning rate below":  {reseal(edited(inner, 64, leFloat(-1)...)), protocol.VerdictMalformed},
		"included twice":       {reseal(edited(inner, included+2+includedSize, 3, 0)), protocol.VerdictMalformed},
		"unknown verdict":      {reseal(edited(inner, skipped+4, 99)), protocol.VerdictMalformed},
		"another method":       {reseal(edited(inner, named+1, 'e')), protocol.VerdictBadShape},
		"no method's name":     {reseal(edited(inner, named+1, 'D')), protocol.VerdictMalformed},
		"another shape":        {reseal(edited(inner, update-1, inner[update-1]^1)), protocol.VerdictBadShape},
		"no update":            {reseal(inner[:update]), protocol.VerdictBadShape},
		"update cut":           {reseal(inner[:len(inner)-1]), protocol.VerdictBadShape},
		"trailing bytes":       {reseal(append(slices.Clone(inner), 0)), protocol.VerdictTooLarge},
		"sign of no parameter": {reseal(edited(inner, -1, 0xff)), protocol.VerdictMalformed},
	})
	return cases
}

func TestAggregateVerdicts(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	want, _ := testAggregate(t, m, s)
	checkVerdicts(t, aggregateCases(t), func(b []byte) protocol.Verdict {
		a, v := readAggregateOf(m, b, want.Run, want.Window, s.Hotkey())
		if a == nil && v.OK() {
			t.Errorf("aggregate %v with verdict %v", a, v)
		}
		return v
	})
}

func TestAggregateByStranger(t *testing.T) {
	m := testMethod(t)
	a, b := testAggregate(t, m, newSigner(1))
	if _, _, v := DecodeAggregate(b, formatOf(m), a.Run, a.Window, a.Term, only(newSigner(2).Hotkey())); v != protocol.VerdictWrongContext {
		t.Errorf("verdict %v", v)
	}
}

// The head of an Aggregate needs none of its update.
func TestPeekAggregate(t *testing.T) {
	m := testMethod(t)
	a, b := testAggregate(t, m, newSigner(1))
	head := headerSize + aggregateFixed + len(a.Included)*includedSize + len(a.Skipped)*skippedSize
	if peek, ok := PeekAggregate(b[:head], a.Run, a.Window, a.Term); !ok || !slices.Equal(peek.Included, a.Included) || !slices.Equal(peek.Skipped, a.Skipped) || peek.Aggregator != a.Aggregator {
		t.Errorf("%+v, %v", peek, ok)
	}
	for n := range head {
		if _, ok := PeekAggregate(b[:n], a.Run, a.Window, a.Term); ok {
			t.Fatalf("%d of %d bytes are enough", n, head)
		}
	}
	if _, ok := PeekAggregate(b, a.Run, a.Window+1, a.Term); ok {
		t.Error("another window's is taken")
	}
	if _, ok := PeekAggregate(b, a.Run, a.Window, a.Term+1); ok {
		t.Error("another term's is taken")
	}
}

func FuzzDecodeAggregate(f *testing.F) {
	m, s := testMethod(f), newSigner(1)
	a, good := testAggregate(f, m, s)
	fuzzMessages(f, good, func(t *testing.T, b []byte) protocol.Verdict {
		got, hash, v := DecodeAggregate(b, formatOf(m), a.Run, a.Window, a.Term, only(a.Aggregator))
		if (got != nil) != v.OK() || (v.OK() && hash != AggregateHash(b)) {
			t.Fatalf("aggregate %v, %v with verdict %v", got, hash, v)
		}
		if peek, ok := PeekAggregate(b, a.Run, a.Window, a.Term); v.OK() && (!ok || !slices.Equal(peek.Included, got.Included) || !slices.Equal(peek.Skipped, got.Skipped) || peek.UploadFrom != got.UploadFrom) {
			t.Fatalf("its head is read as %+v, %v", peek, ok)
		}
		return v
	}, func(t *testing.T, b []byte) protocol.Verdict {
		got := &Aggregate{Run: a.Run, Window: a.Window, Aggregator: a.Aggregator}
		v := got.read(&reader{b: b}, formatOf(m))
		if v.OK() && (got.check() != nil || !bytes.Equal(got.message(formatOf(m))[headerSize:], b)) {
			t.Fatalf("encodes to %x, %v, from %x", got.message(formatOf(m))[headerSize:], got.check(), b)
		}
		return v
	})
}
