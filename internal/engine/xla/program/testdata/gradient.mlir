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
    %88 = stablehlo.reshape %87 : (tensor<2x16x16xf32>) -> tensor<32x16xf32>
    %89 = stablehlo.reshape %targets : (tensor<2x16xi32>) -> tensor<32xi32>
    %90 = stablehlo.multiply %88, %88 : tensor<32x16xf32>
    %91 = stablehlo.constant dense<0.0> : tensor<f32>
    %92 = stablehlo.reduce(%90 init: %91) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %93 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %94 = stablehlo.divide %92, %93 : tensor<32xf32>
    %95 = stablehlo.constant dense<1.000000000e-05> : tensor<32xf32>
    %96 = stablehlo.add %94, %95 : tensor<32xf32>
    %97 = stablehlo.rsqrt %96 : tensor<32xf32>
    %98 = stablehlo.broadcast_in_dim %97, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %99 = stablehlo.multiply %88, %98 : tensor<32x16xf32>
    %100 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %101 = stablehlo.multiply %99, %100 : tensor<32x16xf32>
    %102 = stablehlo.dot_general %101, %p11, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<24x16xf32>) -> tensor<32x24xf32>
    %103 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %104 = stablehlo.reduce(%102 init: %103) applies stablehlo.maximum across dimensions = [1] : (tensor<32x24xf32>, tensor<f32>) -> tensor<32xf32>
    %105 = stablehlo.broadcast_in_dim %104, dims = [0] : (tensor<32xf32>) -> tensor<32x24xf32>
    %106 = stablehlo.subtract %102, %105 : tensor<32x24xf32>
    %107 = stablehlo.exponential %106 : tensor<32x24xf32>
    %108 = stablehlo.constant dense<0.0> : tensor<f32>
    %109 = stablehlo.reduce(%107 init: %108) applies stablehlo.add across dimensions = [1] : (tensor<32x24xf32>, tensor<f32>) -> tensor<32xf32>
    %110 = stablehlo.iota dim = 1 : tensor<32x24xi32>
    %111 = stablehlo.broadcast_in_dim %89, dims = [0] : (tensor<32xi32>) -> tensor<32x24xi32>
    %112 = stablehlo.compare EQ, %110, %111, SIGNED : (tensor<32x24xi32>, tensor<32x24xi32>) -> tensor<32x24xi1>
    %113 = stablehlo.constant dense<0.000000000e+00> : tensor<32x24xf32>
    %114 = stablehlo.select %112, %102, %113 : tensor<32x24xi1>, tensor<32x24xf32>
    %115 = stablehlo.constant dense<0.0> : tensor<f32>
    %116 = stablehlo.reduce(%114 init: %115) applies stablehlo.add across dimensions = [1] : (tensor<32x24xf32>, tensor<f32>) -> tensor<32xf32>
    %117 = stablehlo.constant dense<0> : tensor<32xi32>
    %118 = stablehlo.compare GE, %89, %117, SIGNED : (tensor<32xi32>, tensor<32xi32>) -> tensor<32xi1>
    %119 = stablehlo.log %109 : tensor<32xf32>
    %120 = stablehlo.add %119, %104 : tensor<32xf32>
    %121 = stablehlo.subtract %120, %116 : tensor<32xf32>
    %122 = stablehlo.constant dense<0.000000000e+00> : tensor<32xf32>
    %123 = stablehlo.select %118, %121, %122 : tensor<32xi1>, tensor<32xf32>
    %124 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<32xf32>
    %125 = stablehlo.constant dense<0.000000000e+00> : tensor<32xf32>
    %126 = stablehlo.select %118, %124, %125 : tensor<32xi1>, tensor<32xf32>
    %127 = stablehlo.broadcast_in_dim %109, dims = [0] : (tensor<32xf32>) -> tensor<32x24xf32>
    %128 = stablehlo.divide %107, %127 : tensor<32x24xf32>
    %129 = stablehlo.constant dense<1.000000000e+00> : tensor<32x24xf32>
    %130 = stablehlo.select %112, %129, %113 : tensor<32x24xi1>, tensor<32x24xf32>
    %131 = stablehlo.subtract %128, %130 : tensor<32x24xf32>
    %132 = stablehlo.broadcast_in_dim %126, dims = [0] : (tensor<32xf32>) -> tensor<32x24xf32>
    %133 = stablehlo.multiply %131, %132 : tensor<32x24xf32>
    %134 = stablehlo.dot_general %133, %101, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x24xf32>, tensor<32x16xf32>) -> tensor<24x16xf32>
    %135 = stablehlo.add %g11, %134 : tensor<24x16xf32>
    %136 = stablehlo.dot_general %133, %p11, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x24xf32>, tensor<24x16xf32>) -> tensor<32x16xf32>
    %137 = stablehlo.broadcast_in_dim %97, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %138 = stablehlo.multiply %88, %137 : tensor<32x16xf32>
    %139 = stablehlo.multiply %136, %138 : tensor<32x16xf32>
    %140 = stablehlo.constant dense<0.0> : tensor<f32>
    %141 = stablehlo.reduce(%139 init: %140) applies stablehlo.add across dimensions = [0] : (tensor<32x16xf32>, tensor<f32>) -> tensor<16xf32>
    %142 = stablehlo.add %g10, %141 : tensor<16xf32>
    %143 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %144 = stablehlo.multiply %136, %143 : tensor<32x16xf32>
    %145 = stablehlo.multiply %144, %138 : tensor<32x16xf32>
    %146 = stablehlo.constant dense<0.0> : tensor<f32>
    %147 = stablehlo.reduce(%145 init: %146) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %148 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %149 = stablehlo.divide %147, %148 : tensor<32xf32>
    %150 = stablehlo.broadcast_in_dim %97, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %151 = stablehlo.broadcast_in_dim %149, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %152 = stablehlo.multiply %138, %151 : tensor<32x16xf32>
    %153 = stablehlo.subtract %144, %152 : tensor<32x16xf32>
    %154 = stablehlo.multiply %150, %153 : tensor<32x16xf32>
    %155 = stablehlo.reshape %123 : (tensor<32xf32>) -> tensor<2x16xf32>
    %156 = stablehlo.reshape %154 : (tensor<32x16xf32>) -> tensor<2x16x16xf32>
    %157 = stablehlo.reshape %156 : (tensor<2x16x16xf32>) -> tensor<32x16xf32>
    %158 = stablehlo.dot_general %157, %84, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x8xf32>) -> tensor<16x8xf32>
    %159 = stablehlo.add %g9, %158 : tensor<16x8xf32>
    %160 = stablehlo.dot_general %157, %p9, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x8xf32>) -> tensor<32x8xf32>
    %161 = stablehlo.logistic %80 : tensor<32x8xf32>
    %162 = stablehlo.constant dense<1.000000000e+00> : tensor<32x8xf32>
    %163 = stablehlo.multiply %80, %161 : tensor<32x8xf32>
    %164 = stablehlo.multiply %160, %163 : tensor<32x8xf32>
    %165 = stablehlo.multiply %160, %81 : tensor<32x8xf32>
    %166 = stablehlo.subtract %162, %161 : tensor<32x8xf32>
    %167 = stablehlo.multiply %80, %166 : tensor<32x8xf32>
    %168 = stablehlo.add %162, %167 : tensor<32x8xf32>
    %169 = stablehlo.multiply %161, %168 : tensor<32x8xf32>
    %170 = stablehlo.multiply %165, %169 : tensor<32x8xf32>
    %171 = stablehlo.dot_general %170, %79, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %172 = stablehlo.add %g7, %171 : tensor<8x16xf32>
    %173 = stablehlo.dot_general %164, %79, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %174 = stablehlo.add %g8, %173 : tensor<8x16xf32>
    %175 = stablehlo.dot_general %170, %p7, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %176 = stablehlo.dot_general %164, %p8, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %177 = stablehlo.add %175, %176 : tensor<32x16xf32>
    %178 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %179 = stablehlo.multiply %67, %178 : tensor<32x16xf32>
    %180 = stablehlo.multiply %177, %179 : tensor<32x16xf32>
    %181 = stablehlo.constant dense<0.0> : tensor<f32>
    %182 = stablehlo.reduce(%180 init: %181) applies stablehlo.add across dimensions = [0] : (tensor<32x16xf32>, tensor<f32>) -> tensor<16xf32>
    %183 = stablehlo.add %g6, %182 : tensor<16xf32>
    %184 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %185 = stablehlo.multiply %177, %184 : tensor<32x16xf32>
    %186 = stablehlo.multiply %185, %179 : tensor<32x16xf32>
    %187 = stablehlo.constant dense<0.0> : tensor<f32>
    %188 = stablehlo.reduce(%186 init: %187) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %189 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %190 = stablehlo.divide %188, %189 : tensor<32xf32>
    %191 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %192 = stablehlo.broadcast_in_dim %190, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %193 = stablehlo.multiply %179, %192 : tensor<32x16xf32>
    %194 = stablehlo.subtract %185, %193 : tensor<32x16xf32>
    %195 = stablehlo.multiply %191, %194 : tensor<32x16xf32>
    %196 = stablehlo.add %157, %195 : tensor<32x16xf32>
    %197 = stablehlo.reshape %64 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %198 = stablehlo.dot_general %196, %197, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x16xf32>) -> tensor<16x16xf32>
    %199 = stablehlo.add %g5, %198 : tensor<16x16xf32>
    %200 = stablehlo.dot_general %196, %p5, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %201 = stablehlo.reshape %200 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
    %202 = stablehlo.reshape %27 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %203 = stablehlo.reshape %64 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %204 = stablehlo.reshape %201 : (tensor<2x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %205 = stablehlo.dot_general %204, %42, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x16x1x2x8xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x16xf32>
    %206 = stablehlo.multiply %204, %203 : tensor<2x16x1x2x8xf32>
    %207 = stablehlo.constant dense<0.0> : tensor<f32>
    %208 = stablehlo.reduce(%206 init: %207) applies stablehlo.add across dimensions = [4] : (tensor<2x16x1x2x8xf32>, tensor<f32>) -> tensor<2x16x1x2xf32>
    %209 = stablehlo.transpose %208, dims = [0, 2, 1, 3] : (tensor<2x16x1x2xf32>) -> tensor<2x1x16x2xf32>
    %210 = stablehlo.broadcast_in_dim %209, dims = [0, 1, 2, 3] : (tensor<2x1x16x2xf32>) -> tensor<2x1x16x2x16xf32>
    %211 = stablehlo.subtract %205, %210 : tensor<2x1x16x2x16xf32>
    %212 = stablehlo.multiply %61, %211 : tensor<2x1x16x2x16xf32>
    %213 = stablehlo.constant dense<3.535533906e-01> : tensor<2x1x16x2x16xf32>
    %214 = stablehlo.multiply %212, %213 : tensor<2x1x16x2x16xf32>
    %215 = stablehlo.dot_general %214, %40, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x8xf32>) -> tensor<2x1x16x2x8xf32>
    %216 = stablehlo.transpose %215, dims = [0, 2, 1, 3, 4] : (tensor<2x1x16x2x8xf32>) -> tensor<2x16x1x2x8xf32>
    %217 = stablehlo.dot_general %214, %202, batching_dims = [0, 1] x [0, 2], contracting_dims = [2, 3] x [1, 3], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x2x8xf32>) -> tensor<2x1x16x8xf32>
    %218 = stablehlo.transpose %217, dims = [0, 2, 1, 3] : (tensor<2x1x16x8xf32>) -> tensor<2x16x1x8xf32>
    %219 = stablehlo.dot_general %61, %204, batching_dims = [0, 1] x [0, 2], contracting_dims = [2, 3] x [1, 3], precision = [HIGHEST, HIGHEST] : (tensor<2x1x16x2x16xf32>, tensor<2x16x1x2x8xf32>) -> tensor<2x1x16x8xf32>
    %220 = stablehlo.transpose %219, dims = [0, 2, 1, 3] : (tensor<2x1x16x8xf32>) -> tensor<2x16x1x8xf32>
    %221 = stablehlo.reshape %216 : (tensor<2x16x1x2x8xf32>) -> tensor<2x16x2x8xf32>
    %222 = stablehlo.slice %221 [0:2, 0:16, 0:2, 0:4] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %223 = stablehlo.slice %221 [0:2, 0:16, 0:2, 4:8] : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x4xf32>
    %224 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %225 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x2x4xf32>
    %226 = stablehlo.negate %225 : tensor<2x16x2x4xf32>
    %227 = stablehlo.multiply %222, %224 : tensor<2x16x2x4xf32>
    %228 = stablehlo.multiply %223, %226 : tensor<2x16x2x4xf32>
    %229 = stablehlo.subtract %227, %228 : tensor<2x16x2x4xf32>
    %230 = stablehlo.multiply %223, %224 : tensor<2x16x2x4xf32>
    %231 = stablehlo.multiply %222, %226 : tensor<2x16x2x4xf32>
    %232 = stablehlo.add %230, %231 : tensor<2x16x2x4xf32>
    %233 = stablehlo.concatenate %229, %232, dim = 3 : (tensor<2x16x2x4xf32>, tensor<2x16x2x4xf32>) -> tensor<2x16x2x8xf32>
    %234 = stablehlo.reshape %233 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
    %235 = stablehlo.slice %218 [0:2, 0:16, 0:1, 0:4] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %236 = stablehlo.slice %218 [0:2, 0:16, 0:1, 4:8] : (tensor<2x16x1x8xf32>) -> tensor<2x16x1x4xf32>
    %237 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %238 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<16x4xf32>) -> tensor<2x16x1x4xf32>
    %239 = stablehlo.negate %238 : tensor<2x16x1x4xf32>
    %240 = stablehlo.multiply %235, %237 : tensor<2x16x1x4xf32>
    %241 = stablehlo.multiply %236, %239 : tensor<2x16x1x4xf32>
    %242 = stablehlo.subtract %240, %241 : tensor<2x16x1x4xf32>
    %243 = stablehlo.multiply %236, %237 : tensor<2x16x1x4xf32>
    %244 = stablehlo.multiply %235, %239 : tensor<2x16x1x4xf32>
    %245 = stablehlo.add %243, %244 : tensor<2x16x1x4xf32>
    %246 = stablehlo.concatenate %242, %245, dim = 3 : (tensor<2x16x1x4xf32>, tensor<2x16x1x4xf32>) -> tensor<2x16x1x8xf32>
    %247 = stablehlo.reshape %246 : (tensor<2x16x1x8xf32>) -> tensor<32x8xf32>
    %248 = stablehlo.reshape %220 : (tensor<2x16x1x8xf32>) -> tensor<32x8xf32>
    %249 = stablehlo.dot_general %234, %14, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<32x16xf32>) -> tensor<16x16xf32>
    %250 = stablehlo.add %g2, %249 : tensor<16x16xf32>
    %251 = stablehlo.dot_general %234, %p2, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x16xf32>, tensor<16x16xf32>) -> tensor<32x16xf32>
    %252 = stablehlo.dot_general %247, %14, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %253 = stablehlo.add %g3, %252 : tensor<8x16xf32>
    %254 = stablehlo.dot_general %247, %p3, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %255 = stablehlo.add %251, %254 : tensor<32x16xf32>
    %256 = stablehlo.dot_general %248, %14, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %257 = stablehlo.add %g4, %256 : tensor<8x16xf32>
    %258 = stablehlo.dot_general %248, %p4, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<32x16xf32>
    %259 = stablehlo.add %255, %258 : tensor<32x16xf32>
    %260 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %261 = stablehlo.multiply %2, %260 : tensor<32x16xf32>
    %262 = stablehlo.multiply %259, %261 : tensor<32x16xf32>
    %263 = stablehlo.constant dense<0.0> : tensor<f32>
    %264 = stablehlo.reduce(%262 init: %263) applies stablehlo.add across dimensions = [0] : (tensor<32x16xf32>, tensor<f32>) -> tensor<16xf32>
    %265 = stablehlo.add %g1, %264 : tensor<16xf32>
    %266 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<32x16xf32>
    %267 = stablehlo.multiply %259, %266 : tensor<32x16xf32>
    %268 = stablehlo.multiply %267, %261 : tensor<32x16xf32>
    %269 = stablehlo.constant dense<0.0> : tensor<f32>
    %270 = stablehlo.reduce(%268 init: %269) applies stablehlo.add across dimensions = [1] : (tensor<32x16xf32>, tensor<f32>) -> tensor<32xf32>
    %271 = stablehlo.constant dense<1.600000000e+01> : tensor<32xf32>
    %272 = stablehlo.divide %270, %271 : tensor<32xf32>
    %273 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %274 = stablehlo.broadcast_in_dim %272, dims = [0] : (tensor<32xf32>) -> tensor<32x16xf32>
    %275 = stablehlo.multiply %261, %274 : tensor<32x16xf32>
    %276 = stablehlo.subtract %267, %275 : tensor<32x16xf32>
    %277 = stablehlo.multiply %273, %276 : tensor<32x16xf32>
    %278 = stablehlo.add %196, %277 : tensor<32x16xf32>
    %279 = stablehlo.reshape %0 : (tensor<32xi32>) -> tensor<32x1xi32>
    %280 = "stablehlo.scatter"(%g0, %279, %278) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<24x16xf32>, tensor<32x1xi32>, tensor<32x16xf32>) -> tensor<24x16xf32>
    return %155, %280, %265, %250, %253, %257, %199, %183, %172, %174, %159, %142, %135 : tensor<2x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
