package peers

import (
	"slices"
	"testing"

	"templar/protocol"
)

func TestReserves(t *testing.T) {
	var all []Candidate
	for uid, paid := range []uint16{1, 3, 0, 2, 2, 4} {
		all = append(all, Candidate{UID: protocol.UID(uid), Active: true, Incentive: paid, Standing: Standing{Paid: paid > 0}})
	}
	all[5].Active = false
	p := protocol.Default()
	p.ReservePeers = 2
	if got := Reserves([]protocol.UID{1}, all, &p); !slices.Equal(got, []protocol.UID{3, 4}) {
		t.Errorf("%v: want the best paid that are active and not in the list", got)
	}
	p.ReservePeers = 9
	if got := Reserves(nil, all, &p); !slices.Equal(got, []protocol.UID{1, 3, 4, 0}) {
		t.Errorf("%v: want all that are proven", got)
	}
}
