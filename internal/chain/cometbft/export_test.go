package cometbft

// LoseNextCommit makes the client forget what the reveal of its next commit needs.
func (c *Client) LoseNextCommit() {
	c.commits.mu.Lock()
	defer c.commits.mu.Unlock()
	c.commits.mu.lose = true
}
