module @remove {
  func.func public @main(%buffer: tensor<24xf32> {tf.aliasing_output = 0 : i32}, %index: tensor<3x2xui16>, %value: tensor<3x2xf32>) -> (tensor<24xf32>) {
    %0 = stablehlo.convert %index : (tensor<3x2xui16>) -> tensor<3x2xi32>
    %1 = stablehlo.constant dense<0.000000000e+00> : tensor<3x8xf32>
    %2 = stablehlo.reshape %0 : (tensor<3x2xi32>) -> tensor<3x2x1xi32>
    %3 = "stablehlo.scatter"(%1, %2, %value) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = true}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      stablehlo.return %q : tensor<f32>
    }) : (tensor<3x8xf32>, tensor<3x2x1xi32>, tensor<3x2xf32>) -> tensor<3x8xf32>
    %4 = stablehlo.reshape %3 : (tensor<3x8xf32>) -> tensor<3x1x8xf32>
    %5 = stablehlo.reshape %4 : (tensor<3x1x8xf32>) -> tensor<1x3x1x8xf32>
    %6 = stablehlo.transpose %5, dims = [0, 2, 1, 3] : (tensor<1x3x1x8xf32>) -> tensor<1x1x3x8xf32>
    %7 = stablehlo.reshape %6 : (tensor<1x1x3x8xf32>) -> tensor<24xf32>
    %8 = stablehlo.subtract %buffer, %7 : tensor<24xf32>
    return %8 : tensor<24xf32>
  }
}
