package storetest

import (
	"context"
	"reflect"

	"templar/internal/store"
)

// EachMethod calls each method of a bucket once, with ctx and zero values, and passes its
// name and its error to visit. It is for decorators that refuse calls: what must concern all
// methods is tested for those that the port gains later too.
func EachMethod(ctx context.Context, b store.Bucket, visit func(method string, err error)) {
	port := reflect.TypeFor[store.Bucket]()
	for i := range port.NumMethod() {
		m := port.Method(i)
		in := []reflect.Value{reflect.ValueOf(ctx)}
		for j := 1; j < m.Type.NumIn(); j++ {
			in = append(in, reflect.Zero(m.Type.In(j)))
		}
		out := reflect.ValueOf(b).MethodByName(m.Name).Call(in)
		err, _ := out[len(out)-1].Interface().(error)
		visit(m.Name, err)
	}
}
