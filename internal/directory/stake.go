package directory

// Stake is the sum of the peers' stake.
func Stake(peers []Peer) (total uint64) {
	for _, p := range peers {
		total += p.Stake
	}
	return total
}
