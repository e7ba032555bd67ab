module @trial {
  func.func public @main(%params: tensor<16x24xf32>, %index: tensor<12x3xui16>, %value: tensor<12x3xf32>, %size: tensor<f32>, %down: tensor<8x8xf32>, %along: tensor<4x4xf32>) -> (tensor<16x24xf32>) {
    %0 = stablehlo.convert %index : (tensor<12x3xui16>) -> tensor<12x3xi32>
    %1 = stablehlo.broadcast_in_dim %size, dims = [] : (tensor<f32>) -> tensor<16x24xf32>
    %2 = stablehlo.constant dense<0.000000000e+00> : tensor<12x32xf32>
    %3 = stablehlo.reshape %0 : (tensor<12x3xi32>) -> tensor<12x3x1xi32>
    %4 = "stablehlo.scatter"(%2, %3, %value) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = true}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      stablehlo.return %q : tensor<f32>
    }) : (tensor<12x32xf32>, tensor<12x3x1xi32>, tensor<12x3xf32>) -> tensor<12x32xf32>
    %5 = stablehlo.reshape %4 : (tensor<12x32xf32>) -> tensor<12x8x4xf32>
    %6 = stablehlo.dot_general %5, %along, contracting_dims = [2] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<4x4xf32>) -> tensor<12x8x4xf32>
    %7 = stablehlo.dot_general %6, %down, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<8x8xf32>) -> tensor<12x4x8xf32>
    %8 = stablehlo.transpose %7, dims = [0, 2, 1] : (tensor<12x4x8xf32>) -> tensor<12x8x4xf32>
    %9 = stablehlo.reshape %8 : (tensor<12x8x4xf32>) -> tensor<2x6x8x4xf32>
    %10 = stablehlo.transpose %9, dims = [0, 2, 1, 3] : (tensor<2x6x8x4xf32>) -> tensor<2x8x6x4xf32>
    %11 = stablehlo.reshape %10 : (tensor<2x8x6x4xf32>) -> tensor<16x24xf32>
    %12 = stablehlo.constant dense<0.000000000e+00> : tensor<16x24xf32>
    %13 = stablehlo.multiply %11, %1 : tensor<16x24xf32>
    %14 = stablehlo.abs %value : tensor<12x3xf32>
    %15 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %16 = stablehlo.reduce(%14 init: %15) applies stablehlo.maximum across dimensions = [1] : (tensor<12x3xf32>, tensor<f32>) -> tensor<12xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0] : (tensor<12xf32>) -> tensor<12x8x4xf32>
    %18 = stablehlo.reshape %17 : (tensor<12x8x4xf32>) -> tensor<2x6x8x4xf32>
    %19 = stablehlo.transpose %18, dims = [0, 2, 1, 3] : (tensor<2x6x8x4xf32>) -> tensor<2x8x6x4xf32>
    %20 = stablehlo.reshape %19 : (tensor<2x8x6x4xf32>) -> tensor<16x24xf32>
    %21 = stablehlo.compare GT, %11, %12, FLOAT : (tensor<16x24xf32>, tensor<16x24xf32>) -> tensor<16x24xi1>
    %22 = stablehlo.negate %1 : tensor<16x24xf32>
    %23 = stablehlo.select %21, %1, %22 : tensor<16x24xi1>, tensor<16x24xf32>
    %24 = stablehlo.compare GT, %20, %12, FLOAT : (tensor<16x24xf32>, tensor<16x24xf32>) -> tensor<16x24xi1>
    %25 = stablehlo.select %24, %23, %12 : tensor<16x24xi1>, tensor<16x24xf32>
    %26 = stablehlo.compare EQ, %25, %12, FLOAT : (tensor<16x24xf32>, tensor<16x24xf32>) -> tensor<16x24xi1>
    %27 = stablehlo.subtract %params, %25 : tensor<16x24xf32>
    %28 = stablehlo.select %26, %params, %27 : tensor<16x24xi1>, tensor<16x24xf32>
    return %28 : tensor<16x24xf32>
  }
}
