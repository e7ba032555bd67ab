module @compress {
  func.func public @main(%buffer: tensor<16x24xf32> {tf.aliasing_output = 0 : i32}, %start: tensor<16x24xf32>, %now: tensor<16x24xf32>, %factors: tensor<2xf32>) -> (tensor<16x24xf32>, tensor<12x3xui16>, tensor<12x3xf32>) {
    %0 = stablehlo.subtract %start, %now : tensor<16x24xf32>
    %1 = stablehlo.slice %factors [0:1] : (tensor<2xf32>) -> tensor<1xf32>
    %2 = stablehlo.reshape %1 : (tensor<1xf32>) -> tensor<f32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<16x24xf32>
    %4 = stablehlo.multiply %buffer, %3 : tensor<16x24xf32>
    %5 = stablehlo.slice %factors [1:2] : (tensor<2xf32>) -> tensor<1xf32>
    %6 = stablehlo.reshape %5 : (tensor<1xf32>) -> tensor<f32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [] : (tensor<f32>) -> tensor<16x24xf32>
    %8 = stablehlo.multiply %0, %7 : tensor<16x24xf32>
    %9 = stablehlo.add %4, %8 : tensor<16x24xf32>
    %10 = stablehlo.reshape %9 : (tensor<16x24xf32>) -> tensor<2x8x6x4xf32>
    %11 = stablehlo.transpose %10, dims = [0, 2, 1, 3] : (tensor<2x8x6x4xf32>) -> tensor<2x6x8x4xf32>
    %12 = stablehlo.reshape %11 : (tensor<2x6x8x4xf32>) -> tensor<12x8x4xf32>
    %13 = stablehlo.reshape %12 : (tensor<12x8x4xf32>) -> tensor<12x32xf32>
    %14 = stablehlo.abs %13 : tensor<12x32xf32>
    %15:2 = chlo.top_k(%14, k = 3) : tensor<12x32xf32> -> (tensor<12x3xf32>, tensor<12x3xi32>)
    %16 = "stablehlo.sort"(%15#1) <{dimension = 1 : i64, is_stable = false}> ({
    ^bb0(%p: tensor<i32>, %q: tensor<i32>):
      %s = stablehlo.compare LT, %p, %q, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %s : tensor<i1>
    }) : (tensor<12x3xi32>) -> tensor<12x3xi32>
    %17 = stablehlo.reshape %16 : (tensor<12x3xi32>) -> tensor<12x3x1xi32>
    %18 = "stablehlo.gather"(%13, %17) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<12x32xf32>, tensor<12x3x1xi32>) -> tensor<12x3xf32>
    %19 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %20 = stablehlo.reduce(%14 init: %19) applies stablehlo.maximum across dimensions = [1] : (tensor<12x32xf32>, tensor<f32>) -> tensor<12xf32>
    %21 = stablehlo.is_finite %20 : (tensor<12xf32>) -> tensor<12xi1>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0] : (tensor<12xi1>) -> tensor<12x3xi1>
    %23 = stablehlo.constant dense<0x7FC00000> : tensor<12x3xf32>
    %24 = stablehlo.select %22, %18, %23 : tensor<12x3xi1>, tensor<12x3xf32>
    %25 = stablehlo.convert %16 : (tensor<12x3xi32>) -> tensor<12x3xui16>
    return %9, %25, %24 : tensor<16x24xf32>, tensor<12x3xui16>, tensor<12x3xf32>
  }
}
