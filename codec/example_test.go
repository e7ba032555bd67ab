package codec_test

import (
	"fmt"

	"templar/codec"
	"templar/protocol"
)

// Two peers send the largest coefficients of their momentum; the update is a sign for each
// parameter.
func Example() {
	layout := protocol.Layout{{Name: "w", Shape: []int{4, 4}}}
	c, err := codec.New(layout, codec.Spec{TargetChunk: 4, TopK: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	var sent []*codec.Gradient
	for _, high := range []float32{1, 3} {
		momentum := make([]float32, layout.Size())
		for i := range momentum {
			momentum[i] = high // above zero everywhere
		}
		g, err := c.Compress(momentum)
		if err != nil {
			fmt.Println(err)
			return
		}
		arrived, verdict := c.ReadGradient(g.Bytes()) // as another node does
		if !verdict.OK() {
			fmt.Println(verdict)
			return
		}
		sent = append(sent, arrived)
	}
	params := make([]float32, layout.Size())
	c.Apply(params, c.Aggregate(sent), 0.5, 0)
	fmt.Println(sent[0])
	fmt.Println(params[:4])
	// Output:
	// 1 coefficients in i8
	// [-0.5 -0.5 -0.5 -0.5]
}
