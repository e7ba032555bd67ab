module @trial {
  func.func public @main(%params: tensor<24xf32>, %index: tensor<3x2xui16>, %value: tensor<3x2xf32>, %size: tensor<f32>) -> (tensor<24xf32>) {
    %0 = stablehlo.convert %index : (tensor<3x2xui16>) -> tensor<3x2xi32>
    %1 = stablehlo.broadcast_in_dim %size, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %2 = stablehlo.constant dense<0.000000000e+00> : tensor<3x8xf32>
    %3 = stablehlo.reshape %0 : (tensor<3x2xi32>) -> tensor<3x2x1xi32>
    %4 = "stablehlo.scatter"(%2, %3, %value) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = true}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      stablehlo.return %q : tensor<f32>
    }) : (tensor<3x8xf32>, tensor<3x2x1xi32>, tensor<3x2xf32>) -> tensor<3x8xf32>
    %5 = stablehlo.reshape %4 : (tensor<3x8xf32>) -> tensor<3x1x8xf32>
    %6 = stablehlo.reshape %5 : (tensor<3x1x8xf32>) -> tensor<1x3x1x8xf32>
    %7 = stablehlo.transpose %6, dims = [0, 2, 1, 3] : (tensor<1x3x1x8xf32>) -> tensor<1x1x3x8xf32>
    %8 = stablehlo.reshape %7 : (tensor<1x1x3x8xf32>) -> tensor<24xf32>
    %9 = stablehlo.constant dense<0.000000000e+00> : tensor<24xf32>
    %10 = stablehlo.multiply %8, %1 : tensor<24xf32>
    %11 = stablehlo.compare EQ, %10, %9, FLOAT : (tensor<24xf32>, tensor<24xf32>) -> tensor<24xi1>
    %12 = stablehlo.subtract %params, %10 : tensor<24xf32>
    %13 = stablehlo.select %11, %params, %12 : tensor<24xi1>, tensor<24xf32>
    return %13 : tensor<24xf32>
  }
}
