package cpu

// Kind is the platform and the precision.
func (e *Engine) Kind() string { return "cpu float32" }
