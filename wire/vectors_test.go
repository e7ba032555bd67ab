package wire

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"templar/method"
	"templar/protocol"
)

var update = flag.Bool("update", false, "write testkit/wire again; signatures, and so the bytes, will differ")

var vectorDir = filepath.Join("..", "testkit", "wire")

// vectorFile is testkit/wire's form, as its README words it.
type vectorFile struct {
	About   string        `json:"about"`
	Context vectorContext `json:"context"`
	Cases   []vectorCase  `json:"cases"`
}

type vectorContext struct {
	Run         protocol.Hash   `json:"run"`
	Window      protocol.Window `json:"window"`
	Term        protocol.Term   `json:"term"`
	UID         protocol.UID    `json:"uid"`
	Hotkey      protocol.Hotkey `json:"hotkey"`
	Tensors     []vectorTensor  `json:"tensors"`
	Method      string          `json:"method"`
	TargetChunk int             `json:"target_chunk"`
	TopK        int             `json:"topk_compression"`
	Pages       int             `json:"max_pages"`
	Peers       int             `json:"max_peers"`
	Values      int             `json:"sample_values"`
}

type vectorTensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

type vectorCase struct {
	Name    string           `json:"name"`
	Kind    string           `json:"kind"`
	Verdict protocol.Verdict `json:"verdict"`
	Hex     string           `json:"hex"`
}

// judge is what a reader that expects a kind makes of an object.
func (v *vectorContext) judge(m *method.Method, kind Kind, b []byte) (verdict protocol.Verdict) {
	most := map[Kind]int64{
		KindGradient: MaxGradientSize(formatOf(m), v.Pages) + int64(len(GradientKey{})), KindClosing: MaxClosingSize(v.Peers), KindKey: int64(KeySize), KindAggregate: MaxAggregateSize(formatOf(m), v.Peers), KindSample: MaxSampleSize(v.Values),
	}
	if int64(len(b)) > most[kind] {
		return protocol.VerdictTooLarge
	}
	want := Expect{v.Run, v.Window, v.UID, v.Hotkey}
	switch kind {
	case KindGradient:
		_, verdict = readGradientOf(m, b, want)
	case KindAggregate:
		_, verdict = readAggregateOf(m, b, v.Run, v.Window, v.Hotkey)
	case KindClosing:
		verdict = readClosingOf(b, v.Run, v.Window, v.Hotkey)
	case KindKey:
		verdict = readKeyOf(b, want)
	default:
		_, verdict = DecodeSample(b, want, v.Values)
	}
	return verdict
}

var kinds = []Kind{KindGradient, KindAggregate, KindSample, KindClosing, KindKey}

func TestVectorsOfEveryVerdict(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	m := testMethod(t)
	for _, v := range contentVerdicts() {
		file := readVectorFile(t, v)
		for _, tc := range file.Cases {
			b, err := hex.DecodeString(tc.Hex)
			if err != nil || tc.Verdict != v {
				t.Fatalf("%v, %s: verdict %v, %v", v, tc.Name, tc.Verdict, err)
			}
			for _, kind := range kinds {
				switch got := file.Context.judge(m, kind, b); {
				case kind.String() == tc.Kind && got != v:
					t.Errorf("%s, %s: %v, want %v", tc.Kind, tc.Name, got, v)
				case got.OK():
					t.Errorf("%s, %s: is a good %v", tc.Kind, tc.Name, kind)
				}
			}
		}
	}
}

// contentVerdicts are those on an object's content.
func contentVerdicts() (all []protocol.Verdict) {
	for v := protocol.VerdictTooLarge; v <= protocol.VerdictBadSignature; v++ {
		all = append(all, v)
	}
	return append(all, protocol.VerdictWithheld)
}

func readVectorFile(t *testing.T, v protocol.Verdict) (f vectorFile) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, v.String()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) == 0 {
		t.Fatalf("%v has no case", v)
	}
	return f
}

func writeVectors(t *testing.T) {
	m, s := testMethod(t), newSigner(1)
	g, want, _ := testGradient(t, m, s)
	context := vectorContext{
		Run: want.Run, Window: want.Window, Term: testTerm, UID: want.UID, Hotkey: want.Hotkey,
		Method: m.Name, TargetChunk: 4, TopK: 3, Pages: len(g.Pages), Peers: 15, Values: 4,
	}
	for _, tensor := range testLayout {
		context.Tensors = append(context.Tensors, vectorTensor{tensor.Name, tensor.Shape})
	}
	files := map[protocol.Verdict][]vectorCase{}
	for i, cases := range []map[string]verdictCase{gradientCases(t), aggregateCases(t), sampleCases(t), closingCases(t), keyCases(t)} {
		good := cases["as made"].b
		cases["far too large"] = verdictCase{append(slices.Clone(good), make([]byte, 4096)...), protocol.VerdictTooLarge}
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			tc := cases[name]
			v := context.judge(m, kinds[i], tc.b)
			if v != tc.want && v != protocol.VerdictTooLarge { // the decoder alone does not look at the size
				t.Fatalf("%v, %s: %v, want %v", kinds[i], name, v, tc.want)
			}
			files[v] = append(files[v], vectorCase{name, kinds[i].String(), v, hex.EncodeToString(tc.b)})
		}
	}
	for v, cases := range files {
		about := "Objects of which a reader in this context says: " + v.String()
		b, err := json.MarshalIndent(vectorFile{about, context, cases}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(vectorDir, v.String()+".json"), append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
