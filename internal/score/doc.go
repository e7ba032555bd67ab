// Package score holds the rules by which a validator computes scores and weights from its
// observations of the miners.
//
// All functions are pure: no clock, no I/O, no logging, no goroutines, and no dependence on
// the order of a map. A Book is the whole durable
// state; Book.Close takes one window's observations and returns the next Book, with a
// Report that states for each miner what changed and why. The same Book and the same
// observations give the same scores.
//
// The rules in brief:
//
//	gradient score  (before - after) / before on data that all evaluated miners share
//	rating          OpenSkill's Plackett-Luce over one window's gradient scores
//	binary average  moving average of +1 when a gradient helps the miner's own pages
//	                more than the shared ones, else -1
//	sync score      (1 - x/5)^2.5 for x = mean distance from our parameters in steps, at most 5
//	final           (mu - 3 sigma) * max(0, binary average) * sync score
//	weight          final^power / sum over the evaluated miners with a positive final
//
// A final score is computed when its miner is evaluated and is kept until the next evaluation;
// penalties multiply it, and the binary average, in between.
package score
