// Package data brings text to the model: corpora, tokenizers, datasets of token
// shards in a bucket, and who trains on which part of them.
//
// A dataset is a list of shards, objects of little-endian token ids of 16 or 32 bits,
// and a manifest that names each shard with the SHA-256 of each of its blocks: a
// reader fetches and verifies the blocks that it needs. The manifest's own hash stands
// in the run parameters, so that nobody, the bucket's owner included, can change the
// data of a run. A part of the text is held out: no page holds a token of it.
//
// A page is a fixed range of the training tokens: page i of n tokens begins at token
// i*n, whatever the sizes of the shards, and brings along the token after its last
// one, so that each of its n positions has a target. Assign and Common are pure
// functions of block hashes: any node can tell which pages a miner was to train on.
package data
