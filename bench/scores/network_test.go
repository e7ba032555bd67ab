// Package scores studies whether the scores separate miners that train from adversaries. It runs
// whole networks of the real roles in virtual time, with adversaries and without, and prints the
// tables of docs/scores.md, which has the commands.
package scores

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"templar/internal/adversary"
	"templar/internal/checkpoint"
	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/report"
	"templar/internal/store"
	"templar/protocol"
)

// network is one run: its miners, and its length.
type network struct {
	Name    string `json:"name"`
	Seed    uint64 `json:"seed"`
	Windows int    `json:"windows"`
	Batches []int  `json:"batches"` // of the honest miners, a window
	Mix     string `json:"adversaries"`
	// Part lists the batches of miners that train on a part of their pages.
	Part []int `json:"part,omitempty"`
	// Thin counts miners that train on half of the sequences of each batch.
	Thin int `json:"thin,omitempty"`
	// Small takes half of the tiny preset's width and half of its batch.
	Small bool `json:"small"`
	// CheatersFirst gives the adversaries the lower uids.
	CheatersFirst bool `json:"cheaters_first"`

	params func(*protocol.Params) // beside the study's own, when set
}

// result is the outcome of a run.
type result struct {
	network
	Miners  []miner          `json:"miners"`  // ascending by uid
	Reports []*report.Report `json:"reports"` // the validator's, by window
	HeldOut float64          `json:"held_out"`
}

// miner is a miner of a run, honest or not.
type miner struct {
	Name    string       `json:"name"`
	Kind    string       `json:"kind"` // of adversary; empty for an honest miner
	UID     protocol.UID `json:"uid"`
	Batches int          `json:"batches"`
}

// studied are the tiny preset's parameters, with every miner evaluated in every window.
func studied(t *testing.T, n *network, p *protocol.Params) {
	t.Helper()
	tiny, err := protocol.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	tiny.Aggregators, tiny.Stores = p.Aggregators, p.Stores
	tiny.BlockSeconds, tiny.BlocksPerWindow, tiny.DeltaSeconds, tiny.SlackSeconds = 0.5, 8, 1.25, 1 // the store has whole seconds
	tiny.GatherSeconds, tiny.PublicationSeconds, tiny.PeerGatherSeconds = 0.75, 0.5, 2
	tiny.ValidatorSampleRate = 0.25 // one of a miner's four batches
	tiny.ScoreEvidence = protocol.Default().ScoreEvidence
	*p = tiny
	p.Run, p.Seed = fmt.Sprintf("study-%d", n.Seed), n.Seed
	if n.Small {
		p.Model.HiddenSize, p.Model.IntermediateSize = 64, 192
		p.PageTokens, p.BatchSize = 256, 4
		p.Method = p.Method.With("t_max", n.Windows) // no restart of the schedule shortly before the loss is measured
	}
	p.PagesPerWindow = slices.Max(n.Batches) // a page is a batch
	p.UIDsPerWindow, p.MaxTopKPeers, p.CheckpointFrequency = 64, 64, 1000
	if n.params != nil {
		n.params(p)
	}
}

// run runs the network.
func (n network) run(t *testing.T, corpus *data.Corpus) (out result) {
	t.Helper()
	mix, err := adversary.Parse(n.Mix)
	if err != nil {
		t.Fatal(err)
	}
	out = result{network: n, Miners: n.miners(mix)}
	cfg := testnet.Config{Miners: len(out.Miners), Validators: 1, Corpus: corpus, Params: func(p *protocol.Params) { studied(t, &n, p) }}
	testnet.Test(t, cfg, func(net *testnet.Network) {
		for i := range out.Miners {
			m := &out.Miners[i]
			node := net.Node(fmt.Sprintf("miner-%d", i))
			node.Config.Batches, m.UID = m.Batches, node.UID
			if m.Kind != "" {
				node.Alter = m.member().Corrupt
			}
			if m.Kind == thin {
				node.Alter = func(d parts.Parts) parts.Parts {
					d.Engine = halfRows{d.Engine}
					return d
				}
			}
		}
		net.Start()
		net.RunWindows(n.Windows)
		net.RequireSameState()
		out.collect(t, net)
		out.HeldOut = heldOut(t, net)
	})
	return out
}

// miners lists the miners in the order of their uids.
func (n network) miners(mix adversary.Mix) []miner {
	var honest, adversaries []miner
	for i, b := range n.Batches {
		honest = append(honest, miner{Name: fmt.Sprintf("miner-%d", i), Batches: b})
	}
	for i, b := range n.Part {
		adversaries = append(adversaries, miner{Name: fmt.Sprintf("part-%d", i), Kind: part(b, n.Batches[0]), Batches: b})
	}
	for i := range n.Thin {
		adversaries = append(adversaries, miner{Name: fmt.Sprintf("thin-%d", i), Kind: thin, Batches: n.Batches[0]})
	}
	for _, m := range mix.Members() {
		adversaries = append(adversaries, miner{Name: m.Name(), Kind: string(m.Kind), Batches: n.Batches[0]})
	}
	if n.CheatersFirst {
		return append(adversaries, honest...)
	}
	return append(honest, adversaries...)
}

// thin is the label of miners that train on half of the sequences of each batch.
const thin = "half of each batch"

// halfRows is an engine that trains on the first half of each batch's sequences.
type halfRows struct{ engine.Engine }

func (h halfRows) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	b.Rows /= 2
	b.Inputs, b.Targets = b.Inputs[:b.Rows*b.Cols], b.Targets[:b.Rows*b.Cols]
	return h.Engine.Accumulate(ctx, b, scale)
}

// part is the label of miners that train on some of their pages.
func part(batches, of int) string { return fmt.Sprintf("%d of %d batches", batches, of) }

// member is the adversary, one without an attack when it is none.
func (m *miner) member() adversary.Member {
	out := adversary.Member{Kind: adversary.Kind(m.Kind)}
	fmt.Sscan(m.Name[strings.LastIndex(m.Name, "-")+1:], &out.Index)
	return out
}

// collect reads the validator's reports, which hold all inputs of the scores.
func (r *result) collect(t *testing.T, net *testnet.Network) {
	t.Helper()
	validator := net.Node("validator-0")
	for i := range r.Windows {
		body, _, err := net.Bucket(validator.Name).Get(net.Context(), protocol.ReportKey(net.Window(i), validator.UID), -1)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		one, _, err := report.Decode(raw, net.Run.Params)
		if err != nil {
			t.Fatal(err)
		}
		r.Reports = append(r.Reports, one)
	}
}

// heldOut is the model's loss at the end, in nats a token.
func heldOut(t *testing.T, net *testnet.Network) float64 {
	t.Helper()
	w := net.Window(0)
	for at := range net.States("miner-0") {
		w = max(w, at)
	}
	m := net.Node("miner-0")
	m.Stop()
	s, err := checkpoint.Load(net.Context(), m.Local, net.Run, w+1, m.Signer.Hotkey())
	if errors.Is(err, store.ErrNotFound) { // stopped after it had applied the last window, and before it had saved that
		s, err = checkpoint.Load(net.Context(), m.Local, net.Run, w, m.Signer.Hotkey())
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := cpu.New(net.Run.Params.Model, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, err := data.Open(net.Context(), net.Bucket("dataset"), net.Run.Params.DatasetHash)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := d.HeldOut(net.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(net.Context(), s.Params); err != nil {
		t.Fatal(err)
	}
	loss, err := engine.Losses(net.Context(), e, data.Batches(tokens, net.Run.Params.SequenceLength, net.Run.Params.BatchSize))
	if err != nil {
		t.Fatal(err)
	}
	return loss.Mean()
}
