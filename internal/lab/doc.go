// Package lab answers what a training method, its parameters, the number of miners or their honesty do to what a
// model learns. It trains a network of the real roles in virtual time (package sim), with the real engine, as
// fast as the cores compute: the same Variant and seed give the same bits, on any number of cores. Baselines
// train without a network, on the same pages from the same initial parameters.
//
// Train trains one Variant. Study.Run trains several with several seeds, keeps each finished run
// in a folder, and compares them (docs/lab.md).
package lab
