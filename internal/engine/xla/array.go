package xla

import (
	"errors"

	"templar/internal/engine/xla/program"
	"templar/internal/kernel/pjrt"
	"templar/protocol"
)

// array is one array on each device.
type array []*pjrt.Buffer

// vector is an array for each tensor of a layout. nil is a vector of zeros that has no memory yet.
type vector []array

func (v vector) close() (err error) {
	for _, a := range v {
		for _, b := range a {
			err = errors.Join(err, b.Close())
		}
	}
	return err
}

// upload makes an array of tensor t from its values.
func (d *Device) upload(values []float32, t protocol.Tensor) (array, error) {
	dims := make([]int64, len(t.Shape))
	for i, n := range t.Shape {
		dims[i] = int64(n)
	}
	return put(d, values, pjrt.F32, program.Split(t, len(d.devices)), dims...)
}

// put uploads values: to each device its part of the first dimension, or all of them.
func put[T pjrt.Element](d *Device, values []T, kind pjrt.Type, split bool, dims ...int64) (array, error) {
	part := len(values)
	if split {
		part /= len(d.devices)
		dims[0] /= int64(len(d.devices))
	}
	var a array
	for i, to := range d.devices {
		at := 0
		if split {
			at = i * part
		}
		b, err := pjrt.Upload(d.client, to, values[at:at+part], kind, dims...)
		if err != nil {
			return nil, errors.Join(explain(err), vector{a}.close())
		}
		a = append(a, b)
	}
	return a, nil
}

// read copies an array of tensor t to dst.
func (d *Device) read(a array, dst []float32, t protocol.Tensor) error {
	return get(a, dst, program.Split(t, len(d.devices)))
}

// get copies an array, of which each device has a part of the first dimension, or all.
func get[T pjrt.Element](a array, dst []T, split bool) error {
	if !split {
		return explain(pjrt.Read(a[0], dst))
	}
	part := len(dst) / len(a)
	for i, b := range a {
		if err := pjrt.Read(b, dst[i*part:(i+1)*part]); err != nil {
			return explain(err)
		}
	}
	return nil
}

// same uploads values to every device, whole.
func same[T pjrt.Element](d *Device, values []T, kind pjrt.Type, dims ...int64) (array, error) {
	return put(d, values, kind, false, dims...)
}

// rows uploads a batch's tokens, to each device those of its rows.
func (d *Device) rows(tokens []int32, rows, cols int) (array, error) {
	n := len(d.devices)
	var a array
	for i, to := range d.devices {
		b, err := pjrt.Upload(d.client, to, tokens[i*rows/n*cols:(i+1)*rows/n*cols], pjrt.I32, int64(rows/n), int64(cols))
		if err != nil {
			return nil, errors.Join(explain(err), vector{a}.close())
		}
		a = append(a, b)
	}
	return a, nil
}

// run starts a program with arrays and returns its results.
func (d *Device) run(x *pjrt.Program, in ...array) ([]array, error) {
	args := make([][]*pjrt.Buffer, len(d.devices))
	for i := range args {
		for _, a := range in {
			args[i] = append(args[i], a[i])
		}
	}
	out, err := x.RunSharded(args)
	if err != nil {
		return nil, explain(err)
	}
	arrays := make([]array, x.Outputs())
	for k := range arrays {
		for i := range out {
			arrays[k] = append(arrays[k], out[i][k])
		}
	}
	return arrays, nil
}
