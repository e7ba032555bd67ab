package sim

import (
	"fmt"
	"sync"

	"templar/internal/mailbox"
	"templar/internal/run"
	"templar/method"
	"templar/wire"
)

// auditor recomputes Aggregates beside the simulation: it takes values and finds faults.
type auditor struct {
	run  run.Run
	jobs chan audit
	done sync.WaitGroup // of the worker

	pending sync.WaitGroup
	found   []Violation // the worker's while anything is pending
}

// audit is one window's gradients, and what they were said to add up to.
type audit struct {
	window int
	update method.Update
	raw    [][]byte
	want   []wire.Expect
}

func newAuditor(run run.Run) *auditor {
	a := &auditor{run: run, jobs: make(chan audit, 8)}
	a.done.Go(func() {
		for job := range a.jobs {
			if v, ok := a.look(job); !ok {
				a.found = append(a.found, v)
			}
			a.pending.Done()
		}
	})
	return a
}

func (a *auditor) add(window int, u method.Update, raw [][]byte, want []wire.Expect) {
	a.pending.Add(1)
	a.jobs <- audit{window, u, raw, want}
}

// settle waits for what is under way, and returns what was found since the last time.
func (a *auditor) settle() []Violation {
	a.pending.Wait()
	found := a.found
	a.found = nil
	return found
}

func (a *auditor) close() {
	close(a.jobs)
	a.done.Wait()
}

// look decodes the gradients as any node would, and adds them up in ascending uid.
func (a *auditor) look(job audit) (Violation, bool) {
	var gradients []*run.Gradient
	for i, raw := range job.raw {
		g, verdict := a.run.Gradient(raw, job.want[i])
		if !verdict.OK() {
			return Violation{Window: job.window, Invariant: Members, What: fmt.Sprintf("the gradient of uid %d that the Aggregate names is %v", job.want[i].UID, verdict)}, false
		}
		gradients = append(gradients, g)
	}
	if count, _ := a.run.Method.Differ(mailbox.Reduce(a.run.Method, gradients), job.update); count > 0 {
		return Violation{Window: job.window, Invariant: Sum, What: "the update is not what the gradients that it names add up to"}, false
	}
	return Violation{}, true
}
