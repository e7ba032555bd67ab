package store

// ReadOnly takes the write methods away from a bucket, so that no type assertion
// brings them back: wrap another node's bucket once it has its decorators.
func ReadOnly(b Bucket) Reader { return readOnly{b} }

type readOnly struct{ Reader }
