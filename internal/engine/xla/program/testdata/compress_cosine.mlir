module @compress attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%buffer: tensor<16x24xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 0 : i32}, %gradient: tensor<16x24xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %factors: tensor<2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %down: tensor<8x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}, %along: tensor<4x4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}) -> (tensor<16x24xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<12x3xui16> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<12x3xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}) {
    %0 = stablehlo.slice %factors [0:1] : (tensor<2xf32>) -> tensor<1xf32>
    %1 = stablehlo.reshape %0 : (tensor<1xf32>) -> tensor<f32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16x24xf32>
    %3 = stablehlo.multiply %buffer, %2 : tensor<16x24xf32>
    %4 = stablehlo.slice %factors [1:2] : (tensor<2xf32>) -> tensor<1xf32>
    %5 = stablehlo.reshape %4 : (tensor<1xf32>) -> tensor<f32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16x24xf32>
    %7 = stablehlo.multiply %gradient, %6 : tensor<16x24xf32>
    %8 = stablehlo.add %3, %7 : tensor<16x24xf32>
    %9 = stablehlo.reshape %8 : (tensor<16x24xf32>) -> tensor<2x8x6x4xf32>
    %10 = stablehlo.transpose %9, dims = [0, 2, 1, 3] : (tensor<2x8x6x4xf32>) -> tensor<2x6x8x4xf32>
    %11 = stablehlo.reshape %10 : (tensor<2x6x8x4xf32>) -> tensor<12x8x4xf32>
    %12 = stablehlo.dot_general %11, %along, contracting_dims = [2] x [1], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<4x4xf32>) -> tensor<12x8x4xf32>
    %13 = stablehlo.dot_general %12, %down, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<12x8x4xf32>, tensor<8x8xf32>) -> tensor<12x4x8xf32>
    %14 = stablehlo.transpose %13, dims = [0, 2, 1] : (tensor<12x4x8xf32>) -> tensor<12x8x4xf32>
    %15 = stablehlo.reshape %14 : (tensor<12x8x4xf32>) -> tensor<12x32xf32>
    %16 = stablehlo.abs %15 : tensor<12x32xf32>
    %17:2 = chlo.top_k(%16, k = 3) : tensor<12x32xf32> -> (tensor<12x3xf32>, tensor<12x3xi32>)
    %18 = "stablehlo.sort"(%17#1) <{dimension = 1 : i64, is_stable = false}> ({
    ^bb0(%p: tensor<i32>, %q: tensor<i32>):
      %s = stablehlo.compare LT, %p, %q, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %s : tensor<i1>
    }) : (tensor<12x3xi32>) -> tensor<12x3xi32>
    %19 = stablehlo.reshape %18 : (tensor<12x3xi32>) -> tensor<12x3x1xi32>
    %20 = "stablehlo.gather"(%15, %19) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<12x32xf32>, tensor<12x3x1xi32>) -> tensor<12x3xf32>
    %21 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %22 = stablehlo.reduce(%16 init: %21) applies stablehlo.maximum across dimensions = [1] : (tensor<12x32xf32>, tensor<f32>) -> tensor<12xf32>
    %23 = stablehlo.is_finite %22 : (tensor<12xf32>) -> tensor<12xi1>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0] : (tensor<12xi1>) -> tensor<12x3xi1>
    %25 = stablehlo.constant dense<0x7FC00000> : tensor<12x3xf32>
    %26 = stablehlo.select %24, %20, %25 : tensor<12x3xi1>, tensor<12x3xf32>
    %27 = stablehlo.convert %18 : (tensor<12x3xi32>) -> tensor<12x3xui16>
    return %8, %27, %26 : tensor<16x24xf32>, tensor<12x3xui16>, tensor<12x3xf32>
  }
}
