// Package dctsign is the method of Templar v0.2.82: miners send the largest DCT coefficients of
// their momentum, and parameters move by the sign of the mean (DeMo; Peng et al. 2024, arXiv
// 2411.19870).
//
// In a window a miner adds up the gradient g of the mean loss, takes it into its momentum,
// m <- momentum_decay*m + lr*g, and sends the topk_compression largest coefficients of the DCT of
// each chunk of m, in 8 bits each. What its store has taken is subtracted from m, as decoded (error
// feedback), except in the first momentum_warmup iterations. Momentum and the number of iterations
// are its private state.
//
// The update has one bit for each parameter: the sign of the inverse DCT of the mean of the
// payloads, each divided by its norm. Applied, p <- p*(1 - lr*weight_decay), then p <- p - lr*sign.
// A validator's trial step for one payload is eval_lr_factor*lr*sign.
//
// The bytes and the order of operations are in docs/spec/dctsign.md.
package dctsign
