package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/checkpoint"
	"templar/internal/node"
	windowreport "templar/internal/report"
	"templar/internal/results"
	"templar/internal/run"
	"templar/internal/store/fs"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// maxInspected bounds a message or document that is read whole; safetensors stream.
const maxInspected = 1 << 30

// inspected is the contents of a file and a reader's verdict.
type inspected struct {
	File    string           `json:"file"`
	Verdict protocol.Verdict `json:"verdict"`
	Reason  string           `json:"reason,omitempty"`
	Holds   any              `json:"holds,omitempty"`
}

func inspect(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "inspect FILE", Short: "Show what an object holds, and its verdict",
		Long: `Show the contents of a file from a bucket, and the verdict of a reader that expects it: a
gradient, an Aggregate, a sync sample, a checkpoint's manifest.json or safetensors, a start
window, a peer list or a validator's report; as downloaded, or a file in the folder of
templar's own store.
The files that a manifest names must be beside it, and are checked against its hashes.
Without --params bodies are not decoded, since their format depends on the run's model. Exit
code 1 unless the verdict is ok.`,
		Example: `  templar inspect gradient-17-2-v2
  templar inspect aggregator-17-v2 --params run.json --json`,
		Args: cobra.ArbitraryArgs,
	}
	params := cmd.Flags().String("params", "", "file with the run parameters")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("FILE: want one file, have %d", len(args))
		}
		r, err := runOf(b, *params)
		if err != nil {
			return err
		}
		i, err := inspectFile(args[0], r)
		if err != nil {
			return err
		}
		if err := i.print(cmd.OutOrStdout(), *asJSON); err != nil {
			return err
		}
		if !i.Verdict.OK() {
			return fmt.Errorf("%s is %v", args[0], i.Verdict)
		}
		return nil
	}
	return cmd
}

// runOf is the run of the parameters in a file, nil without one.
func runOf(b *node.Backends, file string) (*run.Run, error) {
	if file == "" {
		return nil, nil
	}
	r, err := b.LoadRun(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("--params: %w", err)}
	}
	return &r, nil
}

func inspectFile(file string, r *run.Run) (inspected, error) {
	f, err := os.Open(file)
	if err != nil {
		return inspected{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return inspected{}, err
	}
	var magic [9]byte
	n, err := io.ReadFull(f, magic[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return inspected{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return inspected{}, err
	}
	size := info.Size()
	if o, err := fs.ReadObject(f, size); err == nil { // a file of our own store: data, then a record
		size = o.Size
	}
	if n == len(magic) && magic[8] == '{' && string(magic[:4]) != "TPLR" {
		return inspectTensors(file, io.LimitReader(f, size), size), nil
	}
	if size > maxInspected {
		return inspected{File: file, Verdict: protocol.VerdictTooLarge}, nil
	}
	b, err := io.ReadAll(io.LimitReader(f, size))
	if err != nil {
		return inspected{}, err
	}
	if n > 0 && magic[0] == '{' {
		return inspectDocument(file, b), nil
	}
	report, v := inspectObject(b, r)
	i := inspected{File: file, Verdict: v}
	if report.Kind != "" {
		i.Holds = report
	} else if !bytes.HasPrefix(b, []byte("TPLR")) {
		i.Reason = "not the beginning of any known object"
	}
	return i, nil
}

// inspectObject also decodes the body with the run's method.
func inspectObject(b []byte, r *run.Run) (wire.Report, protocol.Verdict) {
	if r == nil {
		return wire.Inspect(b, nil)
	}
	format := r.Format()
	report, v := wire.Inspect(b, &format)
	switch {
	case !v.OK():
	case report.Kind == wire.KindGradient.String():
		var p method.Payload
		if p, v = r.Method.Read(report.Raw); v.OK() {
			if s, ok := p.(fmt.Stringer); ok {
				report.Payload = s.String()
			}
		}
	case report.Kind == wire.KindAggregate.String() && len(report.Included) > 0:
		_, v = r.Method.ReadUpdate(report.Raw)
	}
	return report, v
}

// inspectDocument tries what is signed as JSON.
func inspectDocument(file string, b []byte) inspected {
	var first error
	for _, d := range []struct {
		domain string
		into   any
	}{
		{checkpoint.Domain, &checkpoint.Manifest{}},
		{wire.DomainStartWindow, &wire.StartWindow{}},
		{wire.DomainPeers, &wire.PeerList{}},
		{windowreport.Domain, &windowreport.Report{}},
		{results.Domain, &results.Record{}},
	} {
		hotkey, err := wire.Open(d.domain, b, d.into)
		if err == nil {
			i := inspected{File: file, Verdict: protocol.VerdictOK, Holds: map[string]any{
				"kind": d.domain, "hotkey": hotkey, "payload": d.into,
			}}
			if m, ok := d.into.(*checkpoint.Manifest); ok {
				i.Verdict, i.Reason = inspectFiles(file, m.Files)
			}
			return i
		}
		if first == nil {
			first = err
		}
	}
	var sealed struct{ Payload, Hotkey, Signature json.RawMessage }
	if json.Unmarshal(b, &sealed) == nil && sealed.Payload != nil && sealed.Hotkey != nil && sealed.Signature != nil {
		return inspected{File: file, Verdict: protocol.VerdictBadSignature, Reason: first.Error()}
	}
	reason := "JSON without a signature: want payload, hotkey and signature"
	if _, err := protocol.DecodeParams(b); err == nil {
		reason = "run parameters, not an object of a bucket: pass them with --params"
	}
	return inspected{File: file, Verdict: protocol.VerdictMalformed, Reason: reason}
}

// print writes the parts as JSON or, for people, as lines of "name: value".
func (i inspected) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, i)
	}
	fmt.Fprintf(w, "%s: %v\n", i.File, i.Verdict)
	if i.Reason != "" {
		fmt.Fprintf(w, "  reason: %s\n", i.Reason)
	}
	b, err := json.Marshal(i.Holds)
	if err != nil {
		return err
	}
	return printLines(w, b, "  ")
}

// printLines writes a JSON object as lines, its own objects and lists of objects
// indented.
func printLines(w io.Writer, b []byte, indent string) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		var list []json.RawMessage
		switch {
		case value[0] == '{':
			fmt.Fprintf(w, "%s%s:\n", indent, name)
			if err := printLines(w, value, indent+"  "); err != nil {
				return err
			}
		case json.Unmarshal(value, &list) == nil && len(list) > 0 && list[0][0] == '{':
			fmt.Fprintf(w, "%s%s:\n", indent, name)
			for _, item := range list {
				fmt.Fprintf(w, "%s  %s\n", indent, item)
			}
		default:
			fmt.Fprintf(w, "%s%s: %s\n", indent, name, strings.Trim(string(value), `"`))
		}
	}
	return nil
}
