package protocol_test

import (
	"fmt"

	"templar/protocol"
)

// A file of run parameters states what differs from the 1b preset. Parameters of the training
// method stand in method.params.
func ExampleDecodeParams() {
	p, err := protocol.DecodeParams([]byte(`{"run": "mine", "batch_size": 4, "method": {"params": {"t_max": 500}}}`))
	fmt.Println(p.Run, p.BatchSize, p.SequenceLength, err)
	fmt.Println(string(p.Method.Params))

	_, err = protocol.DecodeParams([]byte(`{"t_max": 500}`))
	fmt.Println(err)
	// Output:
	// mine 4 2048 <nil>
	// {"eval_lr_factor":0.2,"learning_rate":0.0004,"momentum_decay":0.999,"momentum_warmup":5,"t_max":500,"target_chunk":64,"topk_compression":32,"warmup_steps":250,"weight_decay":0}
	// run parameters: t_max belongs to the method since protocol version 2: move it into method.params
}

// An upload counts if the store's time for it lies between T - slack and T + D.
func ExampleParams_UploadBounds() {
	p := protocol.Default()
	fmt.Println(p.WindowTime(), p.Slack(), p.Delta())
	fmt.Println(protocol.GradientKey(17, 3))
	// Output:
	// 1m24s 2s 10s
	// gradient-17-3-v2
}
