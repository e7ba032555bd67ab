package miner

// SavePause is savePause, for the tests.
var SavePause = savePause
