// Package output writes what a whole network leaves in a folder: the report, the plot of the losses
// and the trained model.
package output

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/plot"
	"templar/internal/model"
	"templar/protocol"
)

// Names in the folder.
const (
	Report = "report.json"
	Model  = "model"
	image  = "loss.png"
)

// Files say where the results are written.
type Files struct {
	Dir  string // gets all of them
	JSON string // another file for the report; empty for none
	Plot string // file for the plot; empty is loss.png in Dir
}

// PlotFile is where the plot is.
func (f Files) PlotFile() string { return cmp.Or(f.Plot, filepath.Join(f.Dir, image)) }

// Write writes the results. Without params there is no model. It sets the summary's Checkpoint to the
// model's folder.
func (f Files) Write(r *collect.Summary, m protocol.Model, params []float32) error {
	if params != nil {
		dir := filepath.Join(f.Dir, Model)
		if err := model.SaveWith(dir, m, params, model.SaveOptions{Companions: model.BytesCompanions()}); err != nil {
			return fmt.Errorf("export model: %w", err)
		}
		r.Checkpoint = dir
	}
	for _, path := range []string{filepath.Join(f.Dir, Report), f.JSON} {
		if path == "" {
			continue
		}
		if err := r.WriteJSON(path); err != nil {
			return err
		}
	}
	return plot.Write(f.PlotFile(), *r)
}

// ErrDisagree says that nodes hold different parameters.
var ErrDisagree = errors.New("nodes hold different parameters")

// Agreed returns an error that wraps ErrDisagree when nodes hold different parameters.
func Agreed(r collect.Summary) error {
	for _, w := range r.Windows {
		if strays := w.Dissenters(); len(strays) > 0 {
			return fmt.Errorf("%w: after window %d those of %s differ from the rest's; keep the data directory and report it", ErrDisagree, w.Window, strings.Join(strays, ", "))
		}
	}
	return nil
}
