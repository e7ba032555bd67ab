module @gradient {
  func.func public @main(%p0: tensor<24x16xf32>, %p1: tensor<16xf32>, %p2: tensor<16x16xf32>, %p3: tensor<8x16xf32>, %p4: tensor<8x16xf32>, %p5: tensor<16x16xf32>, %p6: tensor<16xf32>, %p7: tensor<8x16xf32>, %p8: tensor<8x16xf32>, %p9: tensor<16x8xf32>, %p10: tensor<16xf32>, %p11: tensor<24x16xf32>, %inputs: tensor<2x16xi32>, %targets: tensor<2x16xi32>, %cos: tensor<16x4xf32>, %sin: tensor<16x4xf32>, %scale: tensor<f32>, %g0: tensor<24x16xf32> {tf.aliasing_output = 1 : i32}, %g1: tensor<16xf32> {tf.aliasing_output = 2 : i32}, %g2: tensor<16x16xf32> {tf.aliasing_output = 3 : i32}, %g3: tensor<8x16xf32> {tf.aliasing_output = 4 : i32}, %g4: tensor<8x16xf32> {tf.aliasing_output = 5 : i32}, %g5: tensor<16x16xf32> {tf.aliasing_output = 6 : i32}, %g6: tensor<16xf32> {tf.aliasing_output = 7 : i32}, %g7: tensor<8x16xf32> {tf.aliasing_output = 8 : i32}, %g8: tensor<8x16xf32> {tf.aliasing_output = 9 : i32}, %g9: tensor<16x8xf32> {tf.aliasing_output = 10 : i32}, %g10: tensor<16xf32> {tf.aliasing_output = 11 : i32}, %g11: tensor<24x16xf32> {tf.aliasing_output = 12 : i32}) -> (tensor<2x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>) {
    %0 = stablehlo.reshape %inputs : (tensor<2x16xi32>) -> tensor<32xi32>
    %1 = stablehlo.reshape %0 : (tensor<32xi32>) -> tensor<32x1xi32>
    %2 = "stablehlo.gather"(%p0, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16>}> : (tensor<24x16xf32>, tensor<32x1xi32>) -> tensor<32x16xf32>
    %3 = stablehlo.multiply %2, %2 : tensor<32x16xf32>
    %4 = stablehlo.constant dense<0.0> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %6 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %7 = stablehlo.divide %5, %6 : tensor<32xf32>
    %8 = stablehlo.constant dense<1.000000000e-05> : tensor<32xf32>
    %9 = stablehlo.add %7, %8 : tensor<32xf32>
    %10 = stablehlo.rsqrt %9 : tensor<32xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %12 = stablehlo.multiply %2, %11 : tensor<32x16xf32>
    %13 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<32x16xf32>
    %15 = stablehlo.dot_general %14, %p2, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %16 = stablehlo.reshape %15 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
    %17 = stablehlo.slice %16 [0:2, 0:16, 0:2, 0:4] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %18 = stablehlo.slice %16 [0:2, 0:16, 0:2, 4:8] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %19 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %20 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %21 = stablehlo.multiply %17, %19 : tensor<2x16x2x4xf32>
    %22 = stablehlo.multiply %18, %20 : tensor<2x16x2x4xf32>
    %23 = stablehlo.subtract %21, %22 : tensor<2x16x2x4xf32>
    %24 = stablehlo.multiply %18, %19 : tensor<2x16x2x4xf32>
    %25 = stablehlo.multiply %17, %20 : tensor<2x16x2x4xf32>
    %26 = stablehlo.add %24, %25 : tensor<2x16x2x4xf32>
    %27 = stablehlo.concatenate %23, %26, dim = 3 : (tensor<2x16x2x4xf32>, tensor<2x16x2x4xf32>) -> tensor<2x16x2x8xf32>
    %28 = stablehlo.dot_general %14, %p3, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %29 = stablehlo.reshape %28 : (tensor<32x8xf32>) -> tensor<2x16x1x8xf32>
    %30 = stablehlo.slice %29 [0:2, 0:16, 0:1, 0:4] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %31 = stablehlo.slice %29 [0:2, 0:16, 0:1, 4:8] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %32 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %33 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %34 = stablehlo.multiply %30, %32 : tensor<2x16x1x4xf32>
    %35 = stablehlo.multiply %31, %33 : tensor<2x16x1x4xf32>
    %36 = stablehlo.subtract %34, %35 : tensor<2x16x1x4xf32>
    %37 = stablehlo.multiply %31, %32 : tensor<2x16x1x4xf32>
    %38 = stablehlo.multiply %30, %33 : tensor<2x16x1x4xf32>
    %39 = stablehlo.add %37, %38 : tensor<2x16x1x4xf32>
    %40 = stablehlo.concatenate %36, %39, dim = 3 : (tensor<2x16x1x4xf32>, tensor<2x16x1x4xf32>) -> tensor<2x16x1x8xf32>
    %41 = stablehlo.dot_general %14, %p4, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %42 = stablehlo.reshape %41 : (tensor<32x8xf32>) -> tensor<2x16x1x8xf32>
    %43 = stablehlo.iota dim = 0 : tensor<16x16xi32>
    %44 = stablehlo.iota dim = 1 : tensor<16x16xi32>
    %45 = stablehlo.compare GE, %43, %44, SIGNED : (tensor<16x16xi32>, tensor<16x16xi32>) -> tensor<16x16xi1>
    %46 = stablehlo.reshape %27 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %47 = stablehlo.dot_general %46, %40, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x16x1x2x8xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x16xf32>
    %48 = stablehlo.constant dense<3.535533906e-01> : tensor<2x1x16x2x16xf32>
    %49 = stablehlo.multiply %47, %48 : tensor<2x1x16x2x16xf32>
    %50 = stablehlo.broadcast_in_dim %45, dims = [2, 4] : (tensor<16x16xi1>) -> tensor<2x1x16x2x16xi1>
    %51 = stablehlo.constant dense<-1.000000000e+30> : tensor<2x1x16x2x16xf32>
    %52 = stablehlo.select %50, %49, %51 : tensor<2x1x16x2x16xi1>, tensor<2x1x16x2x16xf32>
    %53 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %54 = stablehlo.reduce(%52 init: %53) applies stablehlo.maximum across dimensions = [4] : (tensor<2x1x16x2x16xf32>, tensor<f32>) -> tensor<2x1x16x2xf32>
    %55 = stablehlo.broadcast_in_dim %54, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %56 = stablehlo.subtract %52, %55 : tensor<2x1x16x2x16xf32>
    %57 = stablehlo.exponential %56 : tensor<2x1x16x2x16xf32>
    %58 = stablehlo.constant dense<0.0> : tensor<f32>
    %59 = stablehlo.reduce(%57 init: %58) applies stablehlo.add across dimensions = [4] : (tensor<2x1x16x2x16xf32>, tensor<f32>) -> tensor<2x1x16x2xf32>
    %60 = stablehlo.broadcast_in_dim %59, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %61 = stablehlo.divide %57, %60 : tensor<2x1x16x2x16xf32>
    %62 = stablehlo.dot_general %61, %42, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x8xf32>
    %63 = stablehlo.transpose %62, dims = [0, 2, 1, 3, 4] : (tensor<2x1x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %64 = stablehlo.reshape %63 : (tensor<2x16x1x2x8xf32>) -> tensor<2x16x2x8xf32>
    %65 = stablehlo.reshape %64 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %66 = stablehlo.dot_general %65, %p5, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %67 = stablehlo.add %2, %66 : tensor<32x16xf32>
    %68 = stablehlo.multiply %67, %67 : tensor<32x16xf32>
    %69 = stablehlo.constant dense<0.0> : tensor<f32>
    %70 = stablehlo.reduce(%68 init: %69) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %71 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %72 = stablehlo.divide %70, %71 : tensor<32xf32>
    %73 = stablehlo.constant dense<1.000000000e-05> : tensor<32xf32>
    %74 = stablehlo.add %72, %73 : tensor<32xf32>
    %75 = stablehlo.rsqrt %74 : tensor<32xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %77 = stablehlo.multiply %67, %76 : tensor<32x16xf32>
    %78 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %79 = stablehlo.multiply %77, %78 : tensor<32x16xf32>
    %80 = stablehlo.dot_general %79, %p7, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %81 = stablehlo.dot_general %79, %p8, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %82 = stablehlo.logistic %80 : tensor<32x8xf32>
    %83 = stablehlo.multiply %80, %82 : tensor<32x8xf32>
    %84 = stablehlo.multiply %83, %81 : tensor<32x8xf32>
    %85 = stablehlo.dot_general %84, %p9, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<16x8xf32>) -> tensor<32x16xf32>
    %86 = stablehlo.add %67, %85 : tensor<32x16xf32>
    %87 = stablehlo.reshape %86 : (tensor<32x16xf32>) -> tensor<2x16x16xf32>
    %88 = stablehlo.slice %87 [0:2, 0:6, 0:16] : (tensor<2x16x16xf32>) -> tensor<2x6x16xf32>
    %89 = stablehlo.reshape %88 : (tensor<2x6x16xf32>) -> tensor<12x16xf32>
    %90 = stablehlo.slice %targets [0:2, 0:6] : (tensor<2x16xi32>) -> tensor<2x6xi32>
    %91 = stablehlo.reshape %90 : (tensor<2x6xi32>) -> tensor<12xi32>
    %92 = stablehlo.multiply %89, %89 : tensor<12x16xf32>
    %93 = stablehlo.constant dense<0.0> : tensor<f32>
    %94 = stablehlo.reduce(%92 init: %93) applies stablehlo.add across dimensions = [1] : (tensor<12x16xf32>, tensor<f32>) -> tensor<12xf32>
    %95 = stablehlo.constant dense<1.600000000e+01> : tensor<12xf32>
    %96 = stablehlo.divide %94, %95 : tensor<12xf32>
    %97 = stablehlo.constant dense<1.000000000e-05> : tensor<12xf32>
    %98 = stablehlo.add %96, %97 : tensor<12xf32>
    %99 = stablehlo.rsqrt %98 : tensor<12xf32>
    %100 = stablehlo.broadcast_in_dim %99, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %101 = stablehlo.multiply %89, %100 : tensor<12x16xf32>
    %102 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<12x16xf32>
    %103 = stablehlo.multiply %101, %102 : tensor<12x16xf32>
    %104 = stablehlo.dot_general %103, %p11, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<12x16xf32>, tensor<24x16xf32>) -> tensor<12x24xf32>
    %105 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %106 = stablehlo.reduce(%104 init: %105) applies stablehlo.maximum across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %107 = stablehlo.broadcast_in_dim %106, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %108 = stablehlo.subtract %104, %107 : tensor<12x24xf32>
    %109 = stablehlo.exponential %108 : tensor<12x24xf32>
    %110 = stablehlo.constant dense<0.0> : tensor<f32>
    %111 = stablehlo.reduce(%109 init: %110) applies stablehlo.add across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %112 = stablehlo.iota dim = 1 : tensor<12x24xi32>
    %113 = stablehlo.broadcast_in_dim %91, dims = [0] : (tensor<12xi32>) -> tensor<12x24xi32>
    %114 = stablehlo.compare EQ, %112, %113, SIGNED : (tensor<12x24xi32>, tensor<12x24xi32>) -> tensor<12x24xi1>
    %115 = stablehlo.constant dense<0.000000000e+00> : tensor<12x24xf32>
    %116 = stablehlo.select %114, %104, %115 : tensor<12x24xi1>, tensor<12x24xf32>
    %117 = stablehlo.constant dense<0.0> : tensor<f32>
    %118 = stablehlo.reduce(%116 init: %117) applies stablehlo.add across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %119 = stablehlo.constant dense<0> : tensor<12xi32>
    %120 = stablehlo.compare GE, %91, %119, SIGNED : (tensor<12xi32>, tensor<12xi32>) -> tensor<12xi1>
    %121 = stablehlo.log %111 : tensor<12xf32>
    %122 = stablehlo.add %121, %106 : tensor<12xf32>
    %123 = stablehlo.subtract %122, %118 : tensor<12xf32>
    %124 = stablehlo.constant dense<0.000000000e+00> : tensor<12xf32>
    %125 = stablehlo.select %120, %123, %124 : tensor<12xi1>, tensor<12xf32>
    %126 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<12xf32>
    %127 = stablehlo.constant dense<0.000000000e+00> : tensor<12xf32>
    %128 = stablehlo.select %120, %126, %127 : tensor<12xi1>, tensor<12xf32>
    %129 = stablehlo.broadcast_in_dim %111, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %130 = stablehlo.divide %109, %129 : tensor<12x24xf32>
    %131 = stablehlo.constant dense<1.000000000e+00> : tensor<12x24xf32>
    %132 = stablehlo.select %114, %131, %115 : tensor<12x24xi1>, tensor<12x24xf32>
    %133 = stablehlo.subtract %130, %132 : tensor<12x24xf32>
    %134 = stablehlo.broadcast_in_dim %128, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %135 = stablehlo.multiply %133, %134 : tensor<12x24xf32>
    %136 = stablehlo.dot_general %135, %103, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x24xf32>, tensor<12x16xf32>) -> tensor<24x16xf32>
    %137 = stablehlo.add %g11, %136 : tensor<24x16xf32>
    %138 = stablehlo.dot_general %135, %p11, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x24xf32>, tensor<24x16xf32>) -> tensor<12x16xf32>
    %139 = stablehlo.broadcast_in_dim %99, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %140 = stablehlo.multiply %89, %139 : tensor<12x16xf32>
    %141 = stablehlo.multiply %138, %140 : tensor<12x16xf32>
    %142 = stablehlo.constant dense<0.0> : tensor<f32>
    %143 = stablehlo.reduce(%141 init: %142) applies stablehlo.add across dimensions = [0] : (tensor<12x16xf32>, tensor<f32>) -> tensor<16xf32>
    %144 = stablehlo.add %g10, %143 : tensor<16xf32>
    %145 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<12x16xf32>
    %146 = stablehlo.multiply %138, %145 : tensor<12x16xf32>
    %147 = stablehlo.multiply %146, %140 : tensor<12x16xf32>
    %148 = stablehlo.constant dense<0.0> : tensor<f32>
    %149 = stablehlo.reduce(%147 init: %148) applies stablehlo.add across dimensions = [1] : (tensor<12x16xf32>, tensor<f32>) -> tensor<12xf32>
    %150 = stablehlo.constant dense<1.600000000e+01> : tensor<12xf32>
    %151 = stablehlo.divide %149, %150 : tensor<12xf32>
    %152 = stablehlo.broadcast_in_dim %99, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %153 = stablehlo.broadcast_in_dim %151, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %154 = stablehlo.multiply %140, %153 : tensor<12x16xf32>
    %155 = stablehlo.subtract %146, %154 : tensor<12x16xf32>
    %156 = stablehlo.multiply %152, %155 : tensor<12x16xf32>
    %157 = stablehlo.reshape %125 : (tensor<12xf32>) -> tensor<2x6xf32>
    %158 = stablehlo.reshape %156 : (tensor<12x16xf32>) -> tensor<2x6x16xf32>
    %159 = stablehlo.slice %87 [0:2, 6:12, 0:16] : (tensor<2x16x16xf32>) -> tensor<2x6x16xf32>
    %160:3 = stablehlo.optimization_barrier %159, %137, %158 : tensor<2x6x16xf32>, tensor<24x16xf32>, tensor<2x6x16xf32>
    %161 = stablehlo.reshape %160#0 : (tensor<2x6x16xf32>) -> tensor<12x16xf32>
    %162 = stablehlo.slice %targets [0:2, 6:12] : (tensor<2x16xi32>) -> tensor<2x6xi32>
    %163 = stablehlo.reshape %162 : (tensor<2x6xi32>) -> tensor<12xi32>
    %164 = stablehlo.multiply %161, %161 : tensor<12x16xf32>
    %165 = stablehlo.constant dense<0.0> : tensor<f32>
    %166 = stablehlo.reduce(%164 init: %165) applies stablehlo.add across dimensions = [1] : (tensor<12x16xf32>, tensor<f32>) -> tensor<12xf32>
    %167 = stablehlo.constant dense<1.600000000e+01> : tensor<12xf32>
    %168 = stablehlo.divide %166, %167 : tensor<12xf32>
    %169 = stablehlo.constant dense<1.000000000e-05> : tensor<12xf32>
    %170 = stablehlo.add %168, %169 : tensor<12xf32>
    %171 = stablehlo.rsqrt %170 : tensor<12xf32>
    %172 = stablehlo.broadcast_in_dim %171, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %173 = stablehlo.multiply %161, %172 : tensor<12x16xf32>
    %174 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<12x16xf32>
    %175 = stablehlo.multiply %173, %174 : tensor<12x16xf32>
    %176 = stablehlo.dot_general %175, %p11, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<12x16xf32>, tensor<24x16xf32>) -> tensor<12x24xf32>
    %177 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %178 = stablehlo.reduce(%176 init: %177) applies stablehlo.maximum across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %179 = stablehlo.broadcast_in_dim %178, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %180 = stablehlo.subtract %176, %179 : tensor<12x24xf32>
    %181 = stablehlo.exponential %180 : tensor<12x24xf32>
    %182 = stablehlo.constant dense<0.0> : tensor<f32>
    %183 = stablehlo.reduce(%181 init: %182) applies stablehlo.add across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %184 = stablehlo.iota dim = 1 : tensor<12x24xi32>
    %185 = stablehlo.broadcast_in_dim %163, dims = [0] : (tensor<12xi32>) -> tensor<12x24xi32>
    %186 = stablehlo.compare EQ, %184, %185, SIGNED : (tensor<12x24xi32>, tensor<12x24xi32>) -> tensor<12x24xi1>
    %187 = stablehlo.constant dense<0.000000000e+00> : tensor<12x24xf32>
    %188 = stablehlo.select %186, %176, %187 : tensor<12x24xi1>, tensor<12x24xf32>
    %189 = stablehlo.constant dense<0.0> : tensor<f32>
    %190 = stablehlo.reduce(%188 init: %189) applies stablehlo.add across dimensions = [1] : (tensor<12x24xf32>, tensor<f32>) -> tensor<12xf32>
    %191 = stablehlo.constant dense<0> : tensor<12xi32>
    %192 = stablehlo.compare GE, %163, %191, SIGNED : (tensor<12xi32>, tensor<12xi32>) -> tensor<12xi1>
    %193 = stablehlo.log %183 : tensor<12xf32>
    %194 = stablehlo.add %193, %178 : tensor<12xf32>
    %195 = stablehlo.subtract %194, %190 : tensor<12xf32>
    %196 = stablehlo.constant dense<0.000000000e+00> : tensor<12xf32>
    %197 = stablehlo.select %192, %195, %196 : tensor<12xi1>, tensor<12xf32>
    %198 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<12xf32>
    %199 = stablehlo.constant dense<0.000000000e+00> : tensor<12xf32>
    %200 = stablehlo.select %192, %198, %199 : tensor<12xi1>, tensor<12xf32>
    %201 = stablehlo.broadcast_in_dim %183, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %202 = stablehlo.divide %181, %201 : tensor<12x24xf32>
    %203 = stablehlo.constant dense<1.000000000e+00> : tensor<12x24xf32>
    %204 = stablehlo.select %186, %203, %187 : tensor<12x24xi1>, tensor<12x24xf32>
    %205 = stablehlo.subtract %202, %204 : tensor<12x24xf32>
    %206 = stablehlo.broadcast_in_dim %200, dims = [0] : (tensor<12xf32>) -> tensor<12x24xf32>
    %207 = stablehlo.multiply %205, %206 : tensor<12x24xf32>
    %208 = stablehlo.dot_general %207, %175, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x24xf32>, tensor<12x16xf32>) -> tensor<24x16xf32>
    %209 = stablehlo.add %160#1, %208 : tensor<24x16xf32>
    %210 = stablehlo.dot_general %207, %p11, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<12x24xf32>, tensor<24x16xf32>) -> tensor<12x16xf32>
    %211 = stablehlo.broadcast_in_dim %171, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %212 = stablehlo.multiply %161, %211 : tensor<12x16xf32>
    %213 = stablehlo.multiply %210, %212 : tensor<12x16xf32>
    %214 = stablehlo.constant dense<0.0> : tensor<f32>
    %215 = stablehlo.reduce(%213 init: %214) applies stablehlo.add across dimensions = [0] : (tensor<12x16xf32>, tensor<f32>) -> tensor<16xf32>
    %216 = stablehlo.add %144, %215 : tensor<16xf32>
    %217 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<12x16xf32>
    %218 = stablehlo.multiply %210, %217 : tensor<12x16xf32>
    %219 = stablehlo.multiply %218, %212 : tensor<12x16xf32>
    %220 = stablehlo.constant dense<0.0> : tensor<f32>
    %221 = stablehlo.reduce(%219 init: %220) applies stablehlo.add across dimensions = [1] : (tensor<12x16xf32>, tensor<f32>) -> tensor<12xf32>
    %222 = stablehlo.constant dense<1.600000000e+01> : tensor<12xf32>
    %223 = stablehlo.divide %221, %222 : tensor<12xf32>
    %224 = stablehlo.broadcast_in_dim %171, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %225 = stablehlo.broadcast_in_dim %223, dims = [0] : (tensor<12xf32>) -> tensor<12x16xf32>
    %226 = stablehlo.multiply %212, %225 : tensor<12x16xf32>
    %227 = stablehlo.subtract %218, %226 : tensor<12x16xf32>
    %228 = stablehlo.multiply %224, %227 : tensor<12x16xf32>
    %229 = stablehlo.reshape %197 : (tensor<12xf32>) -> tensor<2x6xf32>
    %230 = stablehlo.reshape %228 : (tensor<12x16xf32>) -> tensor<2x6x16xf32>
    %231 = stablehlo.slice %87 [0:2, 12:16, 0:16] : (tensor<2x16x16xf32>) -> tensor<2x4x16xf32>
    %232:3 = stablehlo.optimization_barrier %231, %209, %230 : tensor<2x4x16xf32>, tensor<24x16xf32>, tensor<2x6x16xf32>
    %233 = stablehlo.reshape %232#0 : (tensor<2x4x16xf32>) -> tensor<8x16xf32>
    %234 = stablehlo.slice %targets [0:2, 12:16] : (tensor<2x16xi32>) -> tensor<2x4xi32>
    %235 = stablehlo.reshape %234 : (tensor<2x4xi32>) -> tensor<8xi32>
    %236 = stablehlo.multiply %233, %233 : tensor<8x16xf32>
    %237 = stablehlo.constant dense<0.0> : tensor<f32>
    %238 = stablehlo.reduce(%236 init: %237) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
    %239 = stablehlo.constant dense<1.600000000e+01> : tensor<8xf32>
    %240 = stablehlo.divide %238, %239 : tensor<8xf32>
    %241 = stablehlo.constant dense<1.000000000e-05> : tensor<8xf32>
    %242 = stablehlo.add %240, %241 : tensor<8xf32>
    %243 = stablehlo.rsqrt %242 : tensor<8xf32>
    %244 = stablehlo.broadcast_in_dim %243, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
    %245 = stablehlo.multiply %233, %244 : tensor<8x16xf32>
    %246 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<8x16xf32>
    %247 = stablehlo.multiply %245, %246 : tensor<8x16xf32>
    %248 = stablehlo.dot_general %247, %p11, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x16xf32>, tensor<24x16xf32>) -> tensor<8x24xf32>
    %249 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %250 = stablehlo.reduce(%248 init: %249) applies stablehlo.maximum across dimensions = [1] : (tensor<8x24xf32>, tensor<f32>) -> tensor<8xf32>
    %251 = stablehlo.broadcast_in_dim %250, dims = [0] : (tensor<8xf32>) -> tensor<8x24xf32>
    %252 = stablehlo.subtract %248, %251 : tensor<8x24xf32>
    %253 = stablehlo.exponential %252 : tensor<8x24xf32>
    %254 = stablehlo.constant dense<0.0> : tensor<f32>
    %255 = stablehlo.reduce(%253 init: %254) applies stablehlo.add across dimensions = [1] : (tensor<8x24xf32>, tensor<f32>) -> tensor<8xf32>
    %256 = stablehlo.iota dim = 1 : tensor<8x24xi32>
    %257 = stablehlo.broadcast_in_dim %235, dims = [0] : (tensor<8xi32>) -> tensor<8x24xi32>
    %258 = stablehlo.compare EQ, %256, %257, SIGNED : (tensor<8x24xi32>, tensor<8x24xi32>) -> tensor<8x24xi1>
    %259 = stablehlo.constant dense<0.000000000e+00> : tensor<8x24xf32>
    %260 = stablehlo.select %258, %248, %259 : tensor<8x24xi1>, tensor<8x24xf32>
    %261 = stablehlo.constant dense<0.0> : tensor<f32>
    %262 = stablehlo.reduce(%260 init: %261) applies stablehlo.add across dimensions = [1] : (tensor<8x24xf32>, tensor<f32>) -> tensor<8xf32>
    %263 = stablehlo.constant dense<0> : tensor<8xi32>
    %264 = stablehlo.compare GE, %235, %263, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %265 = stablehlo.log %255 : tensor<8xf32>
    %266 = stablehlo.add %265, %250 : tensor<8xf32>
    %267 = stablehlo.subtract %266, %262 : tensor<8xf32>
    %268 = stablehlo.constant dense<0.000000000e+00> : tensor<8xf32>
    %269 = stablehlo.select %264, %267, %268 : tensor<8xi1>, tensor<8xf32>
    %270 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %271 = stablehlo.constant dense<0.000000000e+00> : tensor<8xf32>
    %272 = stablehlo.select %264, %270, %271 : tensor<8xi1>, tensor<8xf32>
    %273 = stablehlo.broadcast_in_dim %255, dims = [0] : (tensor<8xf32>) -> tensor<8x24xf32>
    %274 = stablehlo.divide %253, %273 : tensor<8x24xf32>
    %275 = stablehlo.constant dense<1.000000000e+00> : tensor<8x24xf32>
    %276 = stablehlo.select %258, %275, %259 : tensor<8x24xi1>, tensor<8x24xf32>
    %277 = stablehlo.subtract %274, %276 : tensor<8x24xf32>
    %278 = stablehlo.broadcast_in_dim %272, dims = [0] : (tensor<8xf32>) -> tensor<8x24xf32>
    %279 = stablehlo.multiply %277, %278 : tensor<8x24xf32>
    %280 = stablehlo.dot_general %279, %247, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<8x24xf32>, tensor<8x16xf32>) -> tensor<24x16xf32>
    %281 = stablehlo.add %232#1, %280 : tensor<24x16xf32>
    %282 = stablehlo.dot_general %279, %p11, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<8x24xf32>, tensor<24x16xf32>) -> tensor<8x16xf32>
    %283 = stablehlo.broadcast_in_dim %243, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
    %284 = stablehlo.multiply %233, %283 : tensor<8x16xf32>
    %285 = stablehlo.multiply %282, %284 : tensor<8x16xf32>
    %286 = stablehlo.constant dense<0.0> : tensor<f32>
    %287 = stablehlo.reduce(%285 init: %286) applies stablehlo.add across dimensions = [0] : (tensor<8x16xf32>, tensor<f32>) -> tensor<16xf32>
    %288 = stablehlo.add %216, %287 : tensor<16xf32>
    %289 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<8x16xf32>
    %290 = stablehlo.multiply %282, %289 : tensor<8x16xf32>
    %291 = stablehlo.multiply %290, %284 : tensor<8x16xf32>
    %292 = stablehlo.constant dense<0.0> : tensor<f32>
    %293 = stablehlo.reduce(%291 init: %292) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
    %294 = stablehlo.constant dense<1.600000000e+01> : tensor<8xf32>
    %295 = stablehlo.divide %293, %294 : tensor<8xf32>
    %296 = stablehlo.broadcast_in_dim %243, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
    %297 = stablehlo.broadcast_in_dim %295, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>
    %298 = stablehlo.multiply %284, %297 : tensor<8x16xf32>
    %299 = stablehlo.subtract %290, %298 : tensor<8x16xf32>
    %300 = stablehlo.multiply %296, %299 : tensor<8x16xf32>
    %301 = stablehlo.reshape %269 : (tensor<8xf32>) -> tensor<2x4xf32>
    %302 = stablehlo.reshape %300 : (tensor<8x16xf32>) -> tensor<2x4x16xf32>
    %303 = stablehlo.concatenate %157, %229, %301, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<2x16xf32>
    %304 = stablehlo.concatenate %160#2, %232#2, %302, dim = 1 : (tensor<2x6x16xf32>, tensor<2x6x16xf32>, tensor<2x4x16xf32>) -> tensor<2x16x16xf32>
    %305 = stablehlo.reshape %304 : (tensor<2x16x16xf32>) -> tensor<32x16xf32>
    %306:2 = stablehlo.optimization_barrier %2, %305 : tensor<32x16xf32>, tensor<32x16xf32>
    %307 = stablehlo.multiply %306#0, %306#0 : tensor<32x16xf32>
    %308 = stablehlo.constant dense<0.0> : tensor<f32>
    %309 = stablehlo.reduce(%307 init: %308) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %310 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %311 = stablehlo.divide %309, %310 : tensor<32xf32>
    %312 = stablehlo.constant dense<1.000000000e-05> : tensor<32xf32>
    %313 = stablehlo.add %311, %312 : tensor<32xf32>
    %314 = stablehlo.rsqrt %313 : tensor<32xf32>
    %315 = stablehlo.broadcast_in_dim %314, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %316 = stablehlo.multiply %306#0, %315 : tensor<32x16xf32>
    %317 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %318 = stablehlo.multiply %316, %317 : tensor<32x16xf32>
    %319 = stablehlo.dot_general %318, %p2, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %320 = stablehlo.reshape %319 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
    %321 = stablehlo.slice %320 [0:2, 0:16, 0:2, 0:4] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %322 = stablehlo.slice %320 [0:2, 0:16, 0:2, 4:8] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %323 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %324 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %325 = stablehlo.multiply %321, %323 : tensor<2x16x2x4xf32>
    %326 = stablehlo.multiply %322, %324 : tensor<2x16x2x4xf32>
    %327 = stablehlo.subtract %325, %326 : tensor<2x16x2x4xf32>
    %328 = stablehlo.multiply %322, %323 : tensor<2x16x2x4xf32>
    %329 = stablehlo.multiply %321, %324 : tensor<2x16x2x4xf32>
    %330 = stablehlo.add %328, %329 : tensor<2x16x2x4xf32>
    %331 = stablehlo.concatenate %327, %330, dim = 3 : (tensor<2x16x2x4xf32>, tensor<2x16x2x4xf32>) -> tensor<2x16x2x8xf32>
    %332 = stablehlo.dot_general %318, %p3, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %333 = stablehlo.reshape %332 : (tensor<32x8xf32>) -> tensor<2x16x1x8xf32>
    %334 = stablehlo.slice %333 [0:2, 0:16, 0:1, 0:4] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %335 = stablehlo.slice %333 [0:2, 0:16, 0:1, 4:8] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %336 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %337 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %338 = stablehlo.multiply %334, %336 : tensor<2x16x1x4xf32>
    %339 = stablehlo.multiply %335, %337 : tensor<2x16x1x4xf32>
    %340 = stablehlo.subtract %338, %339 : tensor<2x16x1x4xf32>
    %341 = stablehlo.multiply %335, %336 : tensor<2x16x1x4xf32>
    %342 = stablehlo.multiply %334, %337 : tensor<2x16x1x4xf32>
    %343 = stablehlo.add %341, %342 : tensor<2x16x1x4xf32>
    %344 = stablehlo.concatenate %340, %343, dim = 3 : (tensor<2x16x1x4xf32>, tensor<2x16x1x4xf32>) -> tensor<2x16x1x8xf32>
    %345 = stablehlo.dot_general %318, %p4, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %346 = stablehlo.reshape %345 : (tensor<32x8xf32>) -> tensor<2x16x1x8xf32>
    %347 = stablehlo.reshape %331 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %348 = stablehlo.dot_general %347, %344, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x16x1x2x8xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x16xf32>
    %349 = stablehlo.constant dense<3.535533906e-01> : tensor<2x1x16x2x16xf32>
    %350 = stablehlo.multiply %348, %349 : tensor<2x1x16x2x16xf32>
    %351 = stablehlo.broadcast_in_dim %45, dims = [2, 4] : (tensor<16x16xi1>) -> tensor<2x1x16x2x16xi1>
    %352 = stablehlo.constant dense<-1.000000000e+30> : tensor<2x1x16x2x16xf32>
    %353 = stablehlo.select %351, %350, %352 : tensor<2x1x16x2x16xi1>, tensor<2x1x16x2x16xf32>
    %354 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %355 = stablehlo.reduce(%353 init: %354) applies stablehlo.maximum across dimensions = [4] : (tensor<2x1x16x2x16xf32>, tensor<f32>) -> tensor<2x1x16x2xf32>
    %356 = stablehlo.broadcast_in_dim %355, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %357 = stablehlo.subtract %353, %356 : tensor<2x1x16x2x16xf32>
    %358 = stablehlo.exponential %357 : tensor<2x1x16x2x16xf32>
    %359 = stablehlo.constant dense<0.0> : tensor<f32>
    %360 = stablehlo.reduce(%358 init: %359) applies stablehlo.add across dimensions = [4] : (tensor<2x1x16x2x16xf32>, tensor<f32>) -> tensor<2x1x16x2xf32>
    %361 = stablehlo.broadcast_in_dim %360, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %362 = stablehlo.divide %358, %361 : tensor<2x1x16x2x16xf32>
    %363 = stablehlo.dot_general %362, %346, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x8xf32>
    %364 = stablehlo.transpose %363, dims = [0, 2, 1, 3, 4] : (tensor<2x1x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %365 = stablehlo.reshape %364 : (tensor<2x16x1x2x8xf32>) -> tensor<2x16x2x8xf32>
    %366 = stablehlo.reshape %365 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %367 = stablehlo.dot_general %366, %p5, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %368 = stablehlo.add %306#0, %367 : tensor<32x16xf32>
    %369 = stablehlo.multiply %368, %368 : tensor<32x16xf32>
    %370 = stablehlo.constant dense<0.0> : tensor<f32>
    %371 = stablehlo.reduce(%369 init: %370) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %372 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %373 = stablehlo.divide %371, %372 : tensor<32xf32>
    %374 = stablehlo.constant dense<1.000000000e-05> : tensor<32xf32>
    %375 = stablehlo.add %373, %374 : tensor<32xf32>
    %376 = stablehlo.rsqrt %375 : tensor<32xf32>
    %377 = stablehlo.broadcast_in_dim %376, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %378 = stablehlo.multiply %368, %377 : tensor<32x16xf32>
    %379 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %380 = stablehlo.multiply %378, %379 : tensor<32x16xf32>
    %381 = stablehlo.dot_general %380, %p7, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %382 = stablehlo.dot_general %380, %p8, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<8x16xf32>) -> tensor<32x8xf32>
    %383 = stablehlo.logistic %381 : tensor<32x8xf32>
    %384 = stablehlo.multiply %381, %383 : tensor<32x8xf32>
    %385 = stablehlo.multiply %384, %382 : tensor<32x8xf32>
    %386 = stablehlo.dot_general %385, %p9, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<16x8xf32>) -> tensor<32x16xf32>
    %387 = stablehlo.add %368, %386 : tensor<32x16xf32>
    %388 = stablehlo.dot_general %306#1, %385, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x8xf32>) -> tensor<16x8xf32>
    %389 = stablehlo.add %g9, %388 : tensor<16x8xf32>
    %390 = stablehlo.dot_general %306#1, %p9, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x8xf32>) -> tensor<32x8xf32>
    %391 = stablehlo.logistic %381 : tensor<32x8xf32>
    %392 = stablehlo.constant dense<1.000000000e+00> : tensor<32x8xf32>
    %393 = stablehlo.multiply %381, %391 : tensor<32x8xf32>
    %394 = stablehlo.multiply %390, %393 : tensor<32x8xf32>
    %395 = stablehlo.multiply %390, %382 : tensor<32x8xf32>
    %396 = stablehlo.subtract %392, %391 : tensor<32x8xf32>
    %397 = stablehlo.multiply %381, %396 : tensor<32x8xf32>
    %398 = stablehlo.add %392, %397 : tensor<32x8xf32>
    %399 = stablehlo.multiply %391, %398 : tensor<32x8xf32>
    %400 = stablehlo.multiply %395, %399 : tensor<32x8xf32>
    %401 = stablehlo.dot_general %400, %380, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %402 = stablehlo.add %g7, %401 : tensor<8x16xf32>
    %403 = stablehlo.dot_general %394, %380, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %404 = stablehlo.add %g8, %403 : tensor<8x16xf32>
    %405 = stablehlo.dot_general %400, %p7, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %406 = stablehlo.dot_general %394, %p8, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %407 = stablehlo.add %405, %406 : tensor<32x16xf32>
    %408 = stablehlo.broadcast_in_dim %376, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %409 = stablehlo.multiply %368, %408 : tensor<32x16xf32>
    %410 = stablehlo.multiply %407, %409 : tensor<32x16xf32>
    %411 = stablehlo.constant dense<0.0> : tensor<f32>
    %412 = stablehlo.reduce(%410 init: %411) applies stablehlo.add across dimensions = [0] : (tensor<32x16xf32>, tensor<f32>) -> tensor<16xf32>
    %413 = stablehlo.add %g6, %412 : tensor<16xf32>
    %414 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %415 = stablehlo.multiply %407, %414 : tensor<32x16xf32>
    %416 = stablehlo.multiply %415, %409 : tensor<32x16xf32>
    %417 = stablehlo.constant dense<0.0> : tensor<f32>
    %418 = stablehlo.reduce(%416 init: %417) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %419 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %420 = stablehlo.divide %418, %419 : tensor<32xf32>
    %421 = stablehlo.broadcast_in_dim %376, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %422 = stablehlo.broadcast_in_dim %420, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %423 = stablehlo.multiply %409, %422 : tensor<32x16xf32>
    %424 = stablehlo.subtract %415, %423 : tensor<32x16xf32>
    %425 = stablehlo.multiply %421, %424 : tensor<32x16xf32>
    %426 = stablehlo.add %306#1, %425 : tensor<32x16xf32>
    %427 = stablehlo.reshape %365 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %428 = stablehlo.dot_general %426, %427, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x16xf32>) -> tensor<16x16xf32>
    %429 = stablehlo.add %g5, %428 : tensor<16x16xf32>
    %430 = stablehlo.dot_general %426, %p5, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %431 = stablehlo.reshape %430 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
    %432 = stablehlo.reshape %331 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %433 = stablehlo.reshape %365 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %434 = stablehlo.reshape %431 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %435 = stablehlo.dot_general %434, %346, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x16x1x2x8xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x16xf32>
    %436 = stablehlo.multiply %434, %433 : tensor<2x16x1x2x8xf32>
    %437 = stablehlo.constant dense<0.0> : tensor<f32>
    %438 = stablehlo.reduce(%436 init: %437) applies stablehlo.add across dimensions = [4] : (tensor<2x16x1x2x8xf32>, tensor<f32>) -> tensor<2x16x1x2xf32>
    %439 = stablehlo.transpose %438, dims = [0, 2, 1, 3] : (tensor<2x16x1x2xf32>) -> tensor<2x1x16x2xf32>
    %440 = stablehlo.broadcast_in_dim %439, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %441 = stablehlo.subtract %435, %440 : tensor<2x1x16x2x16xf32>
    %442 = stablehlo.multiply %362, %441 : tensor<2x1x16x2x16xf32>
    %443 = stablehlo.constant dense<3.535533906e-01> : tensor<2x1x16x2x16xf32>
    %444 = stablehlo.multiply %442, %443 : tensor<2x1x16x2x16xf32>
    %445 = stablehlo.dot_general %444, %344, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x8xf32>
    %446 = stablehlo.transpose %445, dims = [0, 2, 1, 3, 4] : (tensor<2x1x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %447 = stablehlo.dot_general %444, %432, batching_dims = [0, 1] x [0, 2], contracting_dims = [2, 3] x [1, 3], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x2x8xf32>) -> tensor<2x1x16x8xf32>
    %448 = stablehlo.transpose %447, dims = [0, 2, 1, 3] : (tensor<2x1x16x8xf32>) -> tensor<2x16x1x8xf32>
    %449 = stablehlo.dot_general %362, %434, batching_dims = [0, 1] x [0, 2], contracting_dims = [2, 3] x [1, 3], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x2x8xf32>) -> tensor<2x1x16x8xf32>
    %450 = stablehlo.transpose %449, dims = [0, 2, 1, 3] : (tensor<2x1x16x8xf32>) -> tensor<2x16x1x8xf32>
    %451 = stablehlo.reshape %446 : (tensor<2x16x1x2x8xf32>) -> tensor<2x16x2x8xf32>
    %452 = stablehlo.slice %451 [0:2, 0:16, 0:2, 0:4] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %453 = stablehlo.slice %451 [0:2, 0:16, 0:2, 4:8] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %454 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %455 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %456 = stablehlo.negate %455 : tensor<2x16x2x4xf32>
    %457 = stablehlo.multiply %452, %454 : tensor<2x16x2x4xf32>
    %458 = stablehlo.multiply %453, %456 : tensor<2x16x2x4xf32>
    %459 = stablehlo.subtract %457, %458 : tensor<2x16x2x4xf32>
    %460 = stablehlo.multiply %453, %454 : tensor<2x16x2x4xf32>
    %461 = stablehlo.multiply %452, %456 : tensor<2x16x2x4xf32>
    %462 = stablehlo.add %460, %461 : tensor<2x16x2x4xf32>
    %463 = stablehlo.concatenate %459, %462, dim = 3 : (tensor<2x16x2x4xf32>, tensor<2x16x2x4xf32>) -> tensor<2x16x2x8xf32>
    %464 = stablehlo.reshape %463 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %465 = stablehlo.slice %448 [0:2, 0:16, 0:1, 0:4] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %466 = stablehlo.slice %448 [0:2, 0:16, 0:1, 4:8] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %467 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %468 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %469 = stablehlo.negate %468 : tensor<2x16x1x4xf32>
    %470 = stablehlo.multiply %465, %467 : tensor<2x16x1x4xf32>
    %471 = stablehlo.multiply %466, %469 : tensor<2x16x1x4xf32>
    %472 = stablehlo.subtract %470, %471 : tensor<2x16x1x4xf32>
    %473 = stablehlo.multiply %466, %467 : tensor<2x16x1x4xf32>
    %474 = stablehlo.multiply %465, %469 : tensor<2x16x1x4xf32>
    %475 = stablehlo.add %473, %474 : tensor<2x16x1x4xf32>
    %476 = stablehlo.concatenate %472, %475, dim = 3 : (tensor<2x16x1x4xf32>, tensor<2x16x1x4xf32>) -> tensor<2x16x1x8xf32>
    %477 = stablehlo.reshape %476 : (tensor<2x16x1x8xf32>) -> tensor<32x8xf32>
    %478 = stablehlo.reshape %450 : (tensor<2x16x1x8xf32>) -> tensor<32x8xf32>
    %479 = stablehlo.dot_general %464, %318, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x16xf32>) -> tensor<16x16xf32>
    %480 = stablehlo.add %g2, %479 : tensor<16x16xf32>
    %481 = stablehlo.dot_general %464, %p2, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %482 = stablehlo.dot_general %477, %318, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %483 = stablehlo.add %g3, %482 : tensor<8x16xf32>
    %484 = stablehlo.dot_general %477, %p3, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %485 = stablehlo.add %481, %484 : tensor<32x16xf32>
    %486 = stablehlo.dot_general %478, %318, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %487 = stablehlo.add %g4, %486 : tensor<8x16xf32>
    %488 = stablehlo.dot_general %478, %p4, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %489 = stablehlo.add %485, %488 : tensor<32x16xf32>
    %490 = stablehlo.broadcast_in_dim %314, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %491 = stablehlo.multiply %306#0, %490 : tensor<32x16xf32>
    %492 = stablehlo.multiply %489, %491 : tensor<32x16xf32>
    %493 = stablehlo.constant dense<0.0> : tensor<f32>
    %494 = stablehlo.reduce(%492 init: %493) applies stablehlo.add across dimensions = [0] : (tensor<32x16xf32>, tensor<f32>) -> tensor<16xf32>
    %495 = stablehlo.add %g1, %494 : tensor<16xf32>
    %496 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %497 = stablehlo.multiply %489, %496 : tensor<32x16xf32>
    %498 = stablehlo.multiply %497, %491 : tensor<32x16xf32>
    %499 = stablehlo.constant dense<0.0> : tensor<f32>
    %500 = stablehlo.reduce(%498 init: %499) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %501 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %502 = stablehlo.divide %500, %501 : tensor<32xf32>
    %503 = stablehlo.broadcast_in_dim %314, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %504 = stablehlo.broadcast_in_dim %502, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %505 = stablehlo.multiply %491, %504 : tensor<32x16xf32>
    %506 = stablehlo.subtract %497, %505 : tensor<32x16xf32>
    %507 = stablehlo.multiply %503, %506 : tensor<32x16xf32>
    %508 = stablehlo.add %426, %507 : tensor<32x16xf32>
    %509 = stablehlo.reshape %0 : (tensor<32xi32>) -> tensor<32x1xi32>
    %510 = "stablehlo.scatter"(%g0, %509, %508) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<24x16xf32>, tensor<32x1xi32>, tensor<32x16xf32>) -> tensor<24x16xf32>
    return %303, %510, %495, %480, %483, %487, %429, %413, %402, %404, %389, %288, %281 : tensor<2x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
