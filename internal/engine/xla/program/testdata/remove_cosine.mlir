module @remove {
  func.func public @main(%buffer: tensor<16x24xf32> {tf.aliasing_output = 0 : i32}, %index: tensor<12x3xui16>, %value: tensor<12x3xf32>, %down: tensor<8x8xf32>, %along: tensor<4x4xf32>) -> (tensor<16x24xf32>) {
    %0 = stablehlo.convert %index : (tensor<12x3xui16>) -> tensor<12x3xi32>
    %1 = stablehlo.constant dense<0.000000000e+00> : tensor<12x32xf32>
    %2 = stablehlo.reshape %0 : (tensor<12x3xi32>) -> tensor<12x3x1xi32>
    %3 = "stablehlo.scatter"(%1, %2, %value) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = true}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      stablehlo.return %q : tensor<f32>
    }) : (tensor<12x32xf32>, tensor<12x3x1xi32>, tensor<12x3xf32>) -> tensor<12x32xf32>
    %4 = stablehlo.reshape %3 : (tensor<12x32xf32>) -> tensor<12x8x4xf32>
    %5 = stablehlo.dot_general %4, %along, contracting_dims = [2] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<4x4xf32>) -> tensor<12x8x4xf32>
    %6 = stablehlo.dot_general %5, %down, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<8x8xf32>) -> tensor<12x4x8xf32>
    %7 = stablehlo.transpose %6, dims = [0, 2, 1] : (tensor<12x4x8xf32>) -> tensor<12x8x4xf32>
    %8 = stablehlo.reshape %7 : (tensor<12x8x4xf32>) -> tensor<2x6x8x4xf32>
    %9 = stablehlo.transpose %8, dims = [0, 2, 1, 3] : (tensor<2x6x8x4xf32>) -> tensor<2x8x6x4xf32>
    %10 = stablehlo.reshape %9 : (tensor<2x8x6x4xf32>) -> tensor<16x24xf32>
    %11 = stablehlo.subtract %buffer, %10 : tensor<16x24xf32>
    return %11 : tensor<16x24xf32>
  }
}
