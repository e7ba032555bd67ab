package node

import (
	"reflect"
	"testing"

	"templar/internal/config"
)

// Each option of a role is wired to what the operator sets.
func TestOptionsReachTheRole(t *testing.T) {
	var all config.Options
	set := func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Bool:
				f.SetBool(true)
			case reflect.String:
				f.SetString("set")
			case reflect.Slice:
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			case reflect.Int, reflect.Int64:
				f.SetInt(7)
			case reflect.Uint64:
				f.SetUint(7)
			default:
				t.Fatalf("%s: an option of kind %s", v.Type().Field(i).Name, f.Kind())
			}
		}
	}
	set(reflect.ValueOf(&all).Elem())
	got := reflect.ValueOf(chosen(all))
	for i := range got.NumField() {
		if got.Field(i).IsZero() {
			t.Errorf("%s is wired to no option", got.Type().Field(i).Name)
		}
	}
}
