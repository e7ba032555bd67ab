package telemetry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestTeeKeepsTheOrder(t *testing.T) {
	var got []string
	sink := func(name string) Sink {
		return SinkFunc(func(e Event) { got = append(got, name+" "+e.Kind()) })
	}
	tee := Tee(sink("a"), sink("b"))
	tee.Emit(Event{Body: Phase{}})
	tee.Emit(Event{Body: HeldOut{}})
	if s := strings.Join(got, ", "); s != "a phase, b phase, a held-out, b held-out" {
		t.Error(s)
	}
}

// Each type with a kind has a method of Visitor by its name, and its visit calls that one: an
// event that has no method of its own could be lost in another's.
func TestEveryEventIsVisited(t *testing.T) {
	visitor := reflect.TypeFor[Visitor]()
	f, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	visits := 0
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "visit" {
			continue
		}
		name := fn.Recv.List[0].Type.(*ast.Ident).Name
		m, ok := visitor.MethodByName(name)
		if !ok || m.Type.In(1).Name() != name {
			t.Errorf("Visitor has no method of %s", name)
		}
		call := fn.Body.List[0].(*ast.ExprStmt).X.(*ast.CallExpr).Fun.(*ast.SelectorExpr)
		if call.Sel.Name != name {
			t.Errorf("visit of %s calls %s", name, call.Sel.Name)
		}
		visits++
	}
	if visits != visitor.NumMethod() {
		t.Errorf("%d kinds of events, %d methods of Visitor", visits, visitor.NumMethod())
	}
}

func TestHeldOut(t *testing.T) {
	h := HeldOut{Loss: 2 * math.Ln2, Tokens: 30, Bytes: 120}
	if got := h.Perplexity(); math.Abs(got-4) > 1e-12 {
		t.Errorf("perplexity %v, want 4", got)
	}
	if got := h.BitsPerByte(); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("%v bits a byte, want 0.5", got)
	}
	if got := (HeldOut{Loss: 1, Tokens: 1}).BitsPerByte(); !math.IsNaN(got) {
		t.Errorf("%v bits a byte of a text of unknown size", got)
	}
}
