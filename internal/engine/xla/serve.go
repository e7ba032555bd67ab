package xla

import (
	"encoding/json"
	"errors"
	"fmt"

	"templar/internal/engine/device"
	"templar/internal/engine/process"
	"templar/protocol"
)

// options are those that the settings of an engine process ask for.
func options(s device.Settings) Options {
	o := Options{Plugin: s.Plugin, Visible: s.Index, Cache: s.Cache, Count: 1, GPU: s.GPU}
	if s.All {
		o.Count = All
	}
	return o
}

// Serve serves an engine to the process that started this one.
func Serve() error {
	return process.Serve(func(m protocol.Model, settings []byte, notes process.Notes) (process.Engine, string, error) {
		var s device.Settings
		if err := json.Unmarshal(settings, &s); err != nil {
			return nil, "", fmt.Errorf("settings: %w", err)
		}
		o := options(s)
		o.Log, o.Slow = notes.Say, notes.Slow
		d, err := Open(o)
		if err != nil {
			return nil, "", err
		}
		set := Settings{Precision: s.Precision, Plain: s.Plain, NoSteps: len(s.Compress.Chunks) > 0 && !s.Compress.Steps}
		notes.Say("%s", d.describe())
		e, err := d.New(m, set)
		if err != nil {
			return nil, "", errors.Join(err, d.Close())
		}
		if s.Rows > 0 {
			if err := e.Prepare(s.Rows, s.Cols, s.Train); err != nil {
				return nil, "", errors.Join(err, e.Close(), d.Close())
			}
		}
		if len(s.Compress.Chunks) > 0 {
			if err := e.PrepareCompression(s.Compress, s.Train); err != nil {
				return nil, "", errors.Join(err, e.Close(), d.Close())
			}
		}
		return owner{e, d}, e.Kind(), nil
	})
}

// owner closes the device with its one engine.
type owner struct {
	*Engine
	d *Device
}

func (o owner) Close() error { return errors.Join(o.Engine.Close(), o.d.Close()) }

// describe is what the device is.
func (d *Device) describe() device.Info {
	i := d.Info()
	out := device.Info{Plugin: i.Plugin, Interface: i.Interface, Platform: i.Platform, Version: i.Version, StableHLO: i.StableHLO}
	for _, v := range i.Devices {
		out.Devices = append(out.Devices, device.DeviceInfo{Kind: v.Kind, Bytes: v.Memory.Limit, Used: v.Memory.Used})
	}
	return out
}

// Probe opens a device and says what it is, as JSON.
func Probe(settings []byte) ([]byte, error) {
	var s device.Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	o := options(s)
	if o.Visible < 0 {
		o.Count = All
	}
	d, err := Open(o)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return json.Marshal(d.describe())
}
