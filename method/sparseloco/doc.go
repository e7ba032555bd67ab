// Package sparseloco is SparseLoCo (Sarfi et al. 2025, arXiv 2508.15706): miners take local AdamW steps and
// send the largest values of what these changed, in few bits; parameters move by the mean.
//
// In a window a miner copies the parameters and takes one AdamW step a batch. The pseudo-gradient is
// what it arrived at, taken from where it began: Delta = theta_start - theta_local. It goes into the error buffer,
// e <- error_decay*e + Delta, of which the topk largest values of each 4096-chunk are sent, value_bits
// each. What its store has taken is subtracted from e, as decoded (error feedback). The moments of AdamW, the
// number of its steps and the error buffer are the miner's private state.
//
// The update is the mean of the payloads, where an absent value counts as zero and each payload is scaled
// down to the median norm, with update_bits a value. Applied, p <- p - outer_rate*mean. A validator's trial
// step for one payload is outer_rate times it.
//
// Beside the parameters a miner needs memory for a copy of them, the gradient, two moments and the error
// buffer: 24 bytes a parameter in float32, 29 GB for 1.2 billion. Validators and aggregators need none
// of these.
//
// The bytes and the order of operations are in docs/spec/sparse.md.
package sparseloco
