package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"templar/internal/node"
	"templar/internal/plan"
	"templar/internal/run"
	"templar/internal/store/check"
	"templar/internal/telemetry"
)

var errRunCheck = errors.New("the run will not work as it is")

func runCheck(std Std, b *node.Backends) *cobra.Command {
	var o planFlags
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "Try a run against the real stores and chain",
		Long: `Check a run from one of its machines: the run parameters in FILE, or those that the configuration
names, against the chain, the buckets and the dataset of that configuration. What is missing is
listed in the order in which to mend it:

  - what "templar doctor --config" checks of the node: settings, hotkey, run parameters, memory for the
    role, data directory, chain and the time between its blocks, clock, registration, the dataset and
    its vocabulary, and the bucket that the role writes to, with "templar store check": keys, dates
    (of uploads in parts too), ranges, listings;
  - theta_0: drawn from the seed, or the hash of an imported model (--theta-0);
  - the validators that have committed a bucket, and whether they have announced the run;
  - the rates of this machine's link to its bucket, and the plan of "templar run plan" with them.

Run it on the machine of the aggregator, and on one of each other role. It writes a few test
objects to the role's bucket, and removes them. The exit code is 1 when something failed.`,
		Example: `  templar run check run.json --config aggregator.yaml
  templar run check --config validator.yaml --theta-0 model
  templar run check --config miner.yaml --tokens-per-second 40000 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one file of run parameters")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "", "configuration file of a node of the run")
	role := f.String("role", "", "role of that node: miner, validator, aggregator or evaluator (default what the file says)")
	theta0 := f.String("theta-0", "", "folder of the imported model that the run begins with (default the configuration's)")
	o.flags(f)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := roleOf(*role, *file, telemetry.Aggregator)
		if err != nil {
			return err
		}
		m, err := o.machines()
		if err != nil {
			return err
		}
		if *file == "" {
			return usagef("--config: missing: name the configuration of a node; \"templar init %s\" writes one", r)
		}
		n, err := loadNode(cmd, std, r, *file)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			n.Run = args[0]
		}
		if *theta0 != "" {
			n.Options.Theta0 = *theta0
		}
		return printChecks(cmd, o.json, errRunCheck, func(report func(check.Result)) bool {
			planned := func(r run.Run, m plan.Machines) (*plan.Plan, error) { return o.plan(r, m, b) }
			return node.ReadyRun(cmd.Context(), n, r, quiet(b), m, planned, report)
		})
	}
	return cmd
}
