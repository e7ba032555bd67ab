package cpu

// Held is the memory that the engine's buffers really take, in bytes.
func Held(e *Engine) int64 {
	a := &e.act
	values := len(a.top) + len(a.normed) + len(a.rstd) + len(a.logits) + len(a.dx) + len(a.dy) + len(a.dmix) +
		len(a.dqkv) + len(a.dhidden) + len(a.dnorm) + len(a.cos) + len(a.sin)
	for _, in := range a.ins {
		values += len(in)
	}
	for _, l := range a.layers {
		values += len(l.normed) + len(l.qkv) + len(l.mix) + len(l.lse) + len(l.mid) + len(l.normed2) + len(l.gateUp) + len(l.hidden) + len(l.rstd) + len(l.rstd2)
	}
	for _, s := range a.strips {
		values += len(s.p) + len(s.dp)
	}
	return int64(4*values + 8*len(e.losses))
}
