package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"templar/internal/cli/vectors"
)

func vectorsGroup() *cobra.Command {
	cmd := group("vectors", "Check this build against test vectors", "Commands for test vectors: inputs and the outputs of another implementation.")
	cmd.AddCommand(vectorsVerify())
	return cmd
}

func vectorsVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify PATH...", Short: "Recompute test vectors and show the largest error of each case",
		Long: `Recompute test vectors. A PATH is a file, or a folder of .json and .jsonl files, of these forms:

  dct_topk, aggregate    2e-5 of a tensor's largest value; kept indices and signs may differ
                         only where values tie, or means vanish, within that
  plackett_luce, lr_schedule    1e-9
  chunk_split, yuma, wire       exact
  subtensor/...                 exact: keys, eras, runtime, errors, outcomes, commitments, timelock,
                         reveal, live, node, neurons, frames and transcripts of Bittensor's chain,
                         with the metadata in the folder "metadata" beside them

The forms are described in testkit/vectors, testkit/vectors/subtensor and testkit/wire. Exit code 1 if a case is past its tolerance.`,
		Example: `  templar vectors verify testkit/vectors testkit/wire
  templar vectors verify dct_topk.json --json`,
		Args: cobra.ArbitraryArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print the cases as JSON")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if len(paths) == 0 {
			return usagef("PATH: missing: name files or folders of test vectors")
		}
		var cases []vectors.Case
		for _, path := range paths {
			found, err := vectors.Verify(path)
			if err != nil {
				return fmt.Errorf("vectors: %w", err)
			}
			cases = append(cases, found...)
		}
		if err := printCases(cmd.OutOrStdout(), cases, *asJSON); err != nil {
			return err
		}
		if bad := countBad(cases); bad > 0 {
			return fmt.Errorf("%d of %d cases are past their tolerance", bad, len(cases))
		}
		return nil
	}
	return cmd
}

func countBad(cases []vectors.Case) (bad int) {
	for _, c := range cases {
		if !c.OK {
			bad++
		}
	}
	return bad
}

func printCases(w io.Writer, cases []vectors.Case, asJSON bool) error {
	if asJSON {
		return printJSON(w, cases)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tCASE\tERROR\tTOLERANCE\t")
	for _, c := range cases {
		outcome := "ok"
		if !c.OK {
			outcome = "WRONG: " + c.Fault
		}
		fmt.Fprintf(t, "%s\t%s\t%.2g\t%g\t%s\n", c.File, c.Case, c.Error, c.Tolerance, outcome)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d cases, %d past their tolerance\n", len(cases), countBad(cases))
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
