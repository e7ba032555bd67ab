package testnet_test

import (
	"errors"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/internal/store/storetest"
)

// A broken bucket serves nothing: no ranges and no uploads in parts either.
func TestBrokenBucketServesNothing(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		b := net.Node("miner-0").Parts().Own
		net.Break("miner-0", testnet.Denied)
		storetest.EachMethod(net.Context(), b, func(method string, err error) {
			if !errors.Is(err, store.ErrDenied) {
				t.Errorf("%s of a broken bucket: %v", method, err)
			}
		})
	})
}
