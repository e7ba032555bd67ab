module @loss {
  func.func public @main(%p0: tensor<24x16xf32>, %p1: tensor<16xf32>, %p2: tensor<16x16xf32>, %p3: tensor<8x16xf32>, %p4: tensor<8x16xf32>, %p5: tensor<16x16xf32>, %p6: tensor<16xf32>, %p7: tensor<8x16xf32>, %p8: tensor<8x16xf32>, %p9: tensor<16x8xf32>, %p10: tensor<16xf32>, %p11: tensor<24x16xf32>, %inputs: tensor<1x16xi32>, %targets: tensor<1x16xi32>, %cos: tensor<16x4xf32>, %sin: tensor<16x4xf32>) -> (tensor<1x16xf32>) {
    %0 = stablehlo.reshape %inputs : (tensor<1x16xi32>) -> tensor<16xi32>
    %1 = stablehlo.reshape %0 : (tensor<16xi32>) -> tensor<16x1xi32>
    %2 = "stablehlo.gather"(%p0, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16>}> : (tensor<24x16xf32>, tensor<16x1xi32>) -> tensor<16x16xf32>
    %3 = stablehlo.multiply %2, %2 : tensor<16x16xf32>
    %4 = stablehlo.constant dense<0.0> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<16x16xf32>, tensor<f32>) -> tensor<16xf32>
    %6 = stablehlo.constant dense<1.600000000e+01> : tensor<16xf32>
    %7 = stablehlo.divide %5, %6 : tensor<16xf32>
    %8 = stablehlo.constant dense<1.000000000e-05> : tensor<16xf32>
    %9 = stablehlo.add %7, %8 : tensor<16xf32>
    %10 = stablehlo.rsqrt %9 : tensor<16xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<16xf32>) -> tensor<16x16xf32>
    %12 = stablehlo.multiply %2, %11 : tensor<16x16xf32>
    %13 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<16x16xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<16x16xf32>
    %15 = stablehlo.dot_general %14, %p2, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
    %16 = stablehlo.reshape %15 : (tensor<16x16xf32>) -> tensor<1x16x2x8xf32>
    %17 = stablehlo.slice %16 [0:1, 0:16, 0:2, 0:4] : (tensor<1x16x2x8xf32>) -> tensor<1x16x2x4xf32>
    %18 = stablehlo.slice %16 [0:1, 0:16, 0:2, 4:8] : (tensor<1x16x2x8xf32>) -> tensor<1x16x2x4xf32>
    %19 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<1x16x2x4xf32>
    %20 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<1x16x2x4xf32>
    %21 = stablehlo.multiply %17, %19 : tensor<1x16x2x4xf32>
    %22 = stablehlo.multiply %18, %20 : tensor<1x16x2x4xf32>
    %23 = stablehlo.subtract %21, %22 : tensor<1x16x2x4xf32>
    %24 = stablehlo.multiply %18, %19 : tensor<1x16x2x4xf32>
    %25 = stablehlo.multiply %17, %20 : tensor<1x16x2x4xf32>
    %26 = stablehlo.add %24, %25 : tensor<1x16x2x4xf32>
    %27 = stablehlo.concatenate %23, %26, dim = 3 : (tensor<1x16x2x4xf32>, tensor<1x16x2x4xf32>) -> tensor<1x16x2x8xf32>
    %28 = stablehlo.dot_general %14, %p3, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<8x16xf32>) -> tensor<16x8xf32>
    %29 = stablehlo.reshape %28 : (tensor<16x8xf32>) -> tensor<1x16x1x8xf32>
    %30 = stablehlo.slice %29 [0:1, 0:16, 0:1, 0:4] : (tensor<1x16x1x8xf32>) -> tensor<1x16x1x4xf32>
    %31 = stablehlo.slice %29 [0:1, 0:16, 0:1, 4:8] : (tensor<1x16x1x8xf32>) -> tensor<1x16x1x4xf32>
    %32 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<1x16x1x4xf32>
    %33 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<1x16x1x4xf32>
    %34 = stablehlo.multiply %30, %32 : tensor<1x16x1x4xf32>
    %35 = stablehlo.multiply %31, %33 : tensor<1x16x1x4xf32>
    %36 = stablehlo.subtract %34, %35 : tensor<1x16x1x4xf32>
    %37 = stablehlo.multiply %31, %32 : tensor<1x16x1x4xf32>
    %38 = stablehlo.multiply %30, %33 : tensor<1x16x1x4xf32>
    %39 = stablehlo.add %37, %38 : tensor<1x16x1x4xf32>
    %40 = stablehlo.concatenate %36, %39, dim = 3 : (tensor<1x16x1x4xf32>, tensor<1x16x1x4xf32>) -> tensor<1x16x1x8xf32>
    %41 = stablehlo.dot_general %14, %p4, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<8x16xf32>) -> tensor<16x8xf32>
    %42 = stablehlo.reshape %41 : (tensor<16x8xf32>) -> tensor<1x16x1x8xf32>
    %43 = stablehlo.iota dim = 0 : tensor<16x16xi32>
    %44 = stablehlo.iota dim = 1 : tensor<16x16xi32>
    %45 = stablehlo.compare GE, %43, %44, SIGNED : (tensor<16x16xi32>, tensor<16x16xi32>) -> tensor<16x16xi1>
    %46 = stablehlo.reshape %27 : (tensor<1x16x2x8xf32>) -> tensor<1x16x1x2x8xf32>
    %47 = stablehlo.dot_general %46, %40, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<1x16x1x2x8xf32>, tensor<1x16x1x8xf32>) -> tensor<1x1x16x2x16xf32>
    %48 = stablehlo.constant dense<3.535533906e-01> : tensor<1x1x16x2x16xf32>
    %49 = stablehlo.multiply %47, %48 : tensor<1x1x16x2x16xf32>
    %50 = stablehlo.broadcast_in_dim %45, dims = [2, 4] : (tensor<16x16xi1>) -> tensor<1x1x16x2x16xi1>
    %51 = stablehlo.constant dense<-1.000000000e+30> : tensor<1x1x16x2x16xf32>
    %52 = stablehlo.select %50, %49, %51 : tensor<1x1x16x2x16xi1>, tensor<1x1x16x2x16xf32>
    %53 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %54 = stablehlo.reduce(%52 init: %53) applies stablehlo.maximum across dimensions = [4] : (tensor<1x1x16x2x16xf32>, tensor<f32>) -> tensor<1x1x16x2xf32>
    %55 = stablehlo.broadcast_in_dim %54, dims = [0, 1, 2, 3] : (tensor<1x1x16x2xf32>) -> tensor<1x1x16x2x16xf32>
    %56 = stablehlo.subtract %52, %55 : tensor<1x1x16x2x16xf32>
    %57 = stablehlo.exponential %56 : tensor<1x1x16x2x16xf32>
    %58 = stablehlo.constant dense<0.0> : tensor<f32>
    %59 = stablehlo.reduce(%57 init: %58) applies stablehlo.add across dimensions = [4] : (tensor<1x1x16x2x16xf32>, tensor<f32>) -> tensor<1x1x16x2xf32>
    %60 = stablehlo.broadcast_in_dim %59, dims = [0, 1, 2, 3] : (tensor<1x1x16x2xf32>) -> tensor<1x1x16x2x16xf32>
    %61 = stablehlo.divide %57, %60 : tensor<1x1x16x2x16xf32>
    %62 = stablehlo.dot_general %61, %42, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<1x1x16x2x16xf32>, tensor<1x16x1x8xf32>) -> tensor<1x1x16x2x8xf32>
    %63 = stablehlo.transpose %62, dims = [0, 2, 1, 3, 4] : (tensor<1x1x16x2x8xf32>) -> tensor<1x16x1x2x8xf32>
    %64 = stablehlo.reshape %63 : (tensor<1x16x1x2x8xf32>) -> tensor<1x16x2x8xf32>
    %65 = stablehlo.reshape %64 : (tensor<1x16x2x8xf32>) -> tensor<16x16xf32>
    %66 = stablehlo.dot_general %65, %p5, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
    %67 = stablehlo.add %2, %66 : tensor<16x16xf32>
    %68 = stablehlo.multiply %67, %67 : tensor<16x16xf32>
    %69 = stablehlo.constant dense<0.0> : tensor<f32>
    %70 = stablehlo.reduce(%68 init: %69) applies stablehlo.add across dimensions = [1] : (tensor<16x16xf32>, tensor<f32>) -> tensor<16xf32>
    %71 = stablehlo.constant dense<1.600000000e+01> : tensor<16xf32>
    %72 = stablehlo.divide %70, %71 : tensor<16xf32>
    %73 = stablehlo.constant dense<1.000000000e-05> : tensor<16xf32>
    %74 = stablehlo.add %72, %73 : tensor<16xf32>
    %75 = stablehlo.rsqrt %74 : tensor<16xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<16xf32>) -> tensor<16x16xf32>
    %77 = stablehlo.multiply %67, %76 : tensor<16x16xf32>
    %78 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<16x16xf32>
    %79 = stablehlo.multiply %77, %78 : tensor<16x16xf32>
    %80 = stablehlo.dot_general %79, %p7, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<8x16xf32>) -> tensor<16x8xf32>
    %81 = stablehlo.dot_general %79, %p8, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<8x16xf32>) -> tensor<16x8xf32>
    %82 = stablehlo.logistic %80 : tensor<16x8xf32>
    %83 = stablehlo.multiply %80, %82 : tensor<16x8xf32>
    %84 = stablehlo.multiply %83, %81 : tensor<16x8xf32>
    %85 = stablehlo.dot_general %84, %p9, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x16xf32>
    %86 = stablehlo.add %67, %85 : tensor<16x16xf32>
    %87 = stablehlo.reshape %86 : (tensor<16x16xf32>) -> tensor<1x16x16xf32>
    %88 = stablehlo.reshape %87 : (tensor<1x16x16xf32>) -> tensor<16x16xf32>
    %89 = stablehlo.reshape %targets : (tensor<1x16xi32>) -> tensor<16xi32>
    %90 = stablehlo.multiply %88, %88 : tensor<16x16xf32>
    %91 = stablehlo.constant dense<0.0> : tensor<f32>
    %92 = stablehlo.reduce(%90 init: %91) applies stablehlo.add across dimensions = [1] : (tensor<16x16xf32>, tensor<f32>) -> tensor<16xf32>
    %93 = stablehlo.constant dense<1.600000000e+01> : tensor<16xf32>
    %94 = stablehlo.divide %92, %93 : tensor<16xf32>
    %95 = stablehlo.constant dense<1.000000000e-05> : tensor<16xf32>
    %96 = stablehlo.add %94, %95 : tensor<16xf32>
    %97 = stablehlo.rsqrt %96 : tensor<16xf32>
    %98 = stablehlo.broadcast_in_dim %97, dims = [0] : (tensor<16xf32>) -> tensor<16x16xf32>
    %99 = stablehlo.multiply %88, %98 : tensor<16x16xf32>
    %100 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<16x16xf32>
    %101 = stablehlo.multiply %99, %100 : tensor<16x16xf32>
    %102 = stablehlo.dot_general %101, %p11, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<16x16xf32>, tensor<24x16xf32>) -> tensor<16x24xf32>
    %103 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %104 = stablehlo.reduce(%102 init: %103) applies stablehlo.maximum across dimensions = [1] : (tensor<16x24xf32>, tensor<f32>) -> tensor<16xf32>
    %105 = stablehlo.broadcast_in_dim %104, dims = [0] : (tensor<16xf32>) -> tensor<16x24xf32>
    %106 = stablehlo.subtract %102, %105 : tensor<16x24xf32>
    %107 = stablehlo.exponential %106 : tensor<16x24xf32>
    %108 = stablehlo.constant dense<0.0> : tensor<f32>
    %109 = stablehlo.reduce(%107 init: %108) applies stablehlo.add across dimensions = [1] : (tensor<16x24xf32>, tensor<f32>) -> tensor<16xf32>
    %110 = stablehlo.iota dim = 1 : tensor<16x24xi32>
    %111 = stablehlo.broadcast_in_dim %89, dims = [0] : (tensor<16xi32>) -> tensor<16x24xi32>
    %112 = stablehlo.compare EQ, %110, %111, SIGNED : (tensor<16x24xi32>, tensor<16x24xi32>) -> tensor<16x24xi1>
    %113 = stablehlo.constant dense<0.000000000e+00> : tensor<16x24xf32>
    %114 = stablehlo.select %112, %102, %113 : tensor<16x24xi1>, tensor<16x24xf32>
    %115 = stablehlo.constant dense<0.0> : tensor<f32>
    %116 = stablehlo.reduce(%114 init: %115) applies stablehlo.add across dimensions = [1] : (tensor<16x24xf32>, tensor<f32>) -> tensor<16xf32>
    %117 = stablehlo.constant dense<0> : tensor<16xi32>
    %118 = stablehlo.compare GE, %89, %117, SIGNED : (tensor<16xi32>, tensor<16xi32>) -> tensor<16xi1>
    %119 = stablehlo.log %109 : tensor<16xf32>
    %120 = stablehlo.add %119, %104 : tensor<16xf32>
    %121 = stablehlo.subtract %120, %116 : tensor<16xf32>
    %122 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %123 = stablehlo.select %118, %121, %122 : tensor<16xi1>, tensor<16xf32>
    %124 = stablehlo.reshape %123 : (tensor<16xf32>) -> tensor<1x16xf32>
    return %124 : tensor<1x16xf32>
  }
}
