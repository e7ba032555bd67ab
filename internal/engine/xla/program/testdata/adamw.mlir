module @adamw {
  func.func public @main(%p0: tensor<24x16xf32> {tf.aliasing_output = 0 : i32}, %p1: tensor<16xf32> {tf.aliasing_output = 1 : i32}, %p2: tensor<16x16xf32> {tf.aliasing_output = 2 : i32}, %p3: tensor<8x16xf32> {tf.aliasing_output = 3 : i32}, %p4: tensor<8x16xf32> {tf.aliasing_output = 4 : i32}, %p5: tensor<16x16xf32> {tf.aliasing_output = 5 : i32}, %p6: tensor<16xf32> {tf.aliasing_output = 6 : i32}, %p7: tensor<8x16xf32> {tf.aliasing_output = 7 : i32}, %p8: tensor<8x16xf32> {tf.aliasing_output = 8 : i32}, %p9: tensor<16x8xf32> {tf.aliasing_output = 9 : i32}, %p10: tensor<16xf32> {tf.aliasing_output = 10 : i32}, %p11: tensor<24x16xf32> {tf.aliasing_output = 11 : i32}, %m0: tensor<24x16xf32> {tf.aliasing_output = 12 : i32}, %m1: tensor<16xf32> {tf.aliasing_output = 13 : i32}, %m2: tensor<16x16xf32> {tf.aliasing_output = 14 : i32}, %m3: tensor<8x16xf32> {tf.aliasing_output = 15 : i32}, %m4: tensor<8x16xf32> {tf.aliasing_output = 16 : i32}, %m5: tensor<16x16xf32> {tf.aliasing_output = 17 : i32}, %m6: tensor<16xf32> {tf.aliasing_output = 18 : i32}, %m7: tensor<8x16xf32> {tf.aliasing_output = 19 : i32}, %m8: tensor<8x16xf32> {tf.aliasing_output = 20 : i32}, %m9: tensor<16x8xf32> {tf.aliasing_output = 21 : i32}, %m10: tensor<16xf32> {tf.aliasing_output = 22 : i32}, %m11: tensor<24x16xf32> {tf.aliasing_output = 23 : i32}, %v0: tensor<24x16xf32> {tf.aliasing_output = 24 : i32}, %v1: tensor<16xf32> {tf.aliasing_output = 25 : i32}, %v2: tensor<16x16xf32> {tf.aliasing_output = 26 : i32}, %v3: tensor<8x16xf32> {tf.aliasing_output = 27 : i32}, %v4: tensor<8x16xf32> {tf.aliasing_output = 28 : i32}, %v5: tensor<16x16xf32> {tf.aliasing_output = 29 : i32}, %v6: tensor<16xf32> {tf.aliasing_output = 30 : i32}, %v7: tensor<8x16xf32> {tf.aliasing_output = 31 : i32}, %v8: tensor<8x16xf32> {tf.aliasing_output = 32 : i32}, %v9: tensor<16x8xf32> {tf.aliasing_output = 33 : i32}, %v10: tensor<16xf32> {tf.aliasing_output = 34 : i32}, %v11: tensor<24x16xf32> {tf.aliasing_output = 35 : i32}, %g0: tensor<24x16xf32>, %g1: tensor<16xf32>, %g2: tensor<16x16xf32>, %g3: tensor<8x16xf32>, %g4: tensor<8x16xf32>, %g5: tensor<16x16xf32>, %g6: tensor<16xf32>, %g7: tensor<8x16xf32>, %g8: tensor<8x16xf32>, %g9: tensor<16x8xf32>, %g10: tensor<16xf32>, %g11: tensor<24x16xf32>, %factors: tensor<9xf32>) -> (tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>) {
    %0 = stablehlo.slice %factors [0:1] : (tensor<9xf32>) -> tensor<1xf32>
    %1 = stablehlo.reshape %0 : (tensor<1xf32>) -> tensor<f32>
    %2 = stablehlo.slice %factors [1:2] : (tensor<9xf32>) -> tensor<1xf32>
    %3 = stablehlo.reshape %2 : (tensor<1xf32>) -> tensor<f32>
    %4 = stablehlo.slice %factors [2:3] : (tensor<9xf32>) -> tensor<1xf32>
    %5 = stablehlo.reshape %4 : (tensor<1xf32>) -> tensor<f32>
    %6 = stablehlo.slice %factors [3:4] : (tensor<9xf32>) -> tensor<1xf32>
    %7 = stablehlo.reshape %6 : (tensor<1xf32>) -> tensor<f32>
    %8 = stablehlo.slice %factors [4:5] : (tensor<9xf32>) -> tensor<1xf32>
    %9 = stablehlo.reshape %8 : (tensor<1xf32>) -> tensor<f32>
    %10 = stablehlo.slice %factors [5:6] : (tensor<9xf32>) -> tensor<1xf32>
    %11 = stablehlo.reshape %10 : (tensor<1xf32>) -> tensor<f32>
    %12 = stablehlo.slice %factors [6:7] : (tensor<9xf32>) -> tensor<1xf32>
    %13 = stablehlo.reshape %12 : (tensor<1xf32>) -> tensor<f32>
    %14 = stablehlo.slice %factors [7:8] : (tensor<9xf32>) -> tensor<1xf32>
    %15 = stablehlo.reshape %14 : (tensor<1xf32>) -> tensor<f32>
    %16 = stablehlo.slice %factors [8:9] : (tensor<9xf32>) -> tensor<1xf32>
    %17 = stablehlo.reshape %16 : (tensor<1xf32>) -> tensor<f32>
    %18 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %19 = stablehlo.multiply %g0, %18 : tensor<24x16xf32>
    %20 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %21 = stablehlo.multiply %m0, %20 : tensor<24x16xf32>
    %22 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %23 = stablehlo.multiply %19, %22 : tensor<24x16xf32>
    %24 = stablehlo.add %21, %23 : tensor<24x16xf32>
    %25 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %26 = stablehlo.multiply %v0, %25 : tensor<24x16xf32>
    %27 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %28 = stablehlo.multiply %19, %27 : tensor<24x16xf32>
    %29 = stablehlo.multiply %28, %19 : tensor<24x16xf32>
    %30 = stablehlo.add %26, %29 : tensor<24x16xf32>
    %31 = stablehlo.sqrt %30 : tensor<24x16xf32>
    %32 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %33 = stablehlo.divide %31, %32 : tensor<24x16xf32>
    %34 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %35 = stablehlo.add %33, %34 : tensor<24x16xf32>
    %36 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %37 = stablehlo.multiply %p0, %36 : tensor<24x16xf32>
    %38 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %39 = stablehlo.multiply %24, %38 : tensor<24x16xf32>
    %40 = stablehlo.divide %39, %35 : tensor<24x16xf32>
    %41 = stablehlo.subtract %37, %40 : tensor<24x16xf32>
    %42 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %43 = stablehlo.multiply %g1, %42 : tensor<16xf32>
    %44 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %45 = stablehlo.multiply %m1, %44 : tensor<16xf32>
    %46 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %47 = stablehlo.multiply %43, %46 : tensor<16xf32>
    %48 = stablehlo.add %45, %47 : tensor<16xf32>
    %49 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %50 = stablehlo.multiply %v1, %49 : tensor<16xf32>
    %51 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %52 = stablehlo.multiply %43, %51 : tensor<16xf32>
    %53 = stablehlo.multiply %52, %43 : tensor<16xf32>
    %54 = stablehlo.add %50, %53 : tensor<16xf32>
    %55 = stablehlo.sqrt %54 : tensor<16xf32>
    %56 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %57 = stablehlo.divide %55, %56 : tensor<16xf32>
    %58 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %59 = stablehlo.add %57, %58 : tensor<16xf32>
    %60 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %61 = stablehlo.multiply %p1, %60 : tensor<16xf32>
    %62 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %63 = stablehlo.multiply %48, %62 : tensor<16xf32>
    %64 = stablehlo.divide %63, %59 : tensor<16xf32>
    %65 = stablehlo.subtract %61, %64 : tensor<16xf32>
    %66 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %67 = stablehlo.multiply %g2, %66 : tensor<16x16xf32>
    %68 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %69 = stablehlo.multiply %m2, %68 : tensor<16x16xf32>
    %70 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %71 = stablehlo.multiply %67, %70 : tensor<16x16xf32>
    %72 = stablehlo.add %69, %71 : tensor<16x16xf32>
    %73 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %74 = stablehlo.multiply %v2, %73 : tensor<16x16xf32>
    %75 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %76 = stablehlo.multiply %67, %75 : tensor<16x16xf32>
    %77 = stablehlo.multiply %76, %67 : tensor<16x16xf32>
    %78 = stablehlo.add %74, %77 : tensor<16x16xf32>
    %79 = stablehlo.sqrt %78 : tensor<16x16xf32>
    %80 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %81 = stablehlo.divide %79, %80 : tensor<16x16xf32>
    %82 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %83 = stablehlo.add %81, %82 : tensor<16x16xf32>
    %84 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %85 = stablehlo.multiply %p2, %84 : tensor<16x16xf32>
    %86 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %87 = stablehlo.multiply %72, %86 : tensor<16x16xf32>
    %88 = stablehlo.divide %87, %83 : tensor<16x16xf32>
    %89 = stablehlo.subtract %85, %88 : tensor<16x16xf32>
    %90 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %91 = stablehlo.multiply %g3, %90 : tensor<8x16xf32>
    %92 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %93 = stablehlo.multiply %m3, %92 : tensor<8x16xf32>
    %94 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %95 = stablehlo.multiply %91, %94 : tensor<8x16xf32>
    %96 = stablehlo.add %93, %95 : tensor<8x16xf32>
    %97 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %98 = stablehlo.multiply %v3, %97 : tensor<8x16xf32>
    %99 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %100 = stablehlo.multiply %91, %99 : tensor<8x16xf32>
    %101 = stablehlo.multiply %100, %91 : tensor<8x16xf32>
    %102 = stablehlo.add %98, %101 : tensor<8x16xf32>
    %103 = stablehlo.sqrt %102 : tensor<8x16xf32>
    %104 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %105 = stablehlo.divide %103, %104 : tensor<8x16xf32>
    %106 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %107 = stablehlo.add %105, %106 : tensor<8x16xf32>
    %108 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %109 = stablehlo.multiply %p3, %108 : tensor<8x16xf32>
    %110 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %111 = stablehlo.multiply %96, %110 : tensor<8x16xf32>
    %112 = stablehlo.divide %111, %107 : tensor<8x16xf32>
    %113 = stablehlo.subtract %109, %112 : tensor<8x16xf32>
    %114 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %115 = stablehlo.multiply %g4, %114 : tensor<8x16xf32>
    %116 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %117 = stablehlo.multiply %m4, %116 : tensor<8x16xf32>
    %118 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %119 = stablehlo.multiply %115, %118 : tensor<8x16xf32>
    %120 = stablehlo.add %117, %119 : tensor<8x16xf32>
    %121 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %122 = stablehlo.multiply %v4, %121 : tensor<8x16xf32>
    %123 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %124 = stablehlo.multiply %115, %123 : tensor<8x16xf32>
    %125 = stablehlo.multiply %124, %115 : tensor<8x16xf32>
    %126 = stablehlo.add %122, %125 : tensor<8x16xf32>
    %127 = stablehlo.sqrt %126 : tensor<8x16xf32>
    %128 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %129 = stablehlo.divide %127, %128 : tensor<8x16xf32>
    %130 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %131 = stablehlo.add %129, %130 : tensor<8x16xf32>
    %132 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %133 = stablehlo.multiply %p4, %132 : tensor<8x16xf32>
    %134 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %135 = stablehlo.multiply %120, %134 : tensor<8x16xf32>
    %136 = stablehlo.divide %135, %131 : tensor<8x16xf32>
    %137 = stablehlo.subtract %133, %136 : tensor<8x16xf32>
    %138 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %139 = stablehlo.multiply %g5, %138 : tensor<16x16xf32>
    %140 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %141 = stablehlo.multiply %m5, %140 : tensor<16x16xf32>
    %142 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %143 = stablehlo.multiply %139, %142 : tensor<16x16xf32>
    %144 = stablehlo.add %141, %143 : tensor<16x16xf32>
    %145 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %146 = stablehlo.multiply %v5, %145 : tensor<16x16xf32>
    %147 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %148 = stablehlo.multiply %139, %147 : tensor<16x16xf32>
    %149 = stablehlo.multiply %148, %139 : tensor<16x16xf32>
    %150 = stablehlo.add %146, %149 : tensor<16x16xf32>
    %151 = stablehlo.sqrt %150 : tensor<16x16xf32>
    %152 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %153 = stablehlo.divide %151, %152 : tensor<16x16xf32>
    %154 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %155 = stablehlo.add %153, %154 : tensor<16x16xf32>
    %156 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %157 = stablehlo.multiply %p5, %156 : tensor<16x16xf32>
    %158 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16x16xf32>
    %159 = stablehlo.multiply %144, %158 : tensor<16x16xf32>
    %160 = stablehlo.divide %159, %155 : tensor<16x16xf32>
    %161 = stablehlo.subtract %157, %160 : tensor<16x16xf32>
    %162 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %163 = stablehlo.multiply %g6, %162 : tensor<16xf32>
    %164 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %165 = stablehlo.multiply %m6, %164 : tensor<16xf32>
    %166 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %167 = stablehlo.multiply %163, %166 : tensor<16xf32>
    %168 = stablehlo.add %165, %167 : tensor<16xf32>
    %169 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %170 = stablehlo.multiply %v6, %169 : tensor<16xf32>
    %171 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %172 = stablehlo.multiply %163, %171 : tensor<16xf32>
    %173 = stablehlo.multiply %172, %163 : tensor<16xf32>
    %174 = stablehlo.add %170, %173 : tensor<16xf32>
    %175 = stablehlo.sqrt %174 : tensor<16xf32>
    %176 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %177 = stablehlo.divide %175, %176 : tensor<16xf32>
    %178 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %179 = stablehlo.add %177, %178 : tensor<16xf32>
    %180 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %181 = stablehlo.multiply %p6, %180 : tensor<16xf32>
    %182 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %183 = stablehlo.multiply %168, %182 : tensor<16xf32>
    %184 = stablehlo.divide %183, %179 : tensor<16xf32>
    %185 = stablehlo.subtract %181, %184 : tensor<16xf32>
    %186 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %187 = stablehlo.multiply %g7, %186 : tensor<8x16xf32>
    %188 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %189 = stablehlo.multiply %m7, %188 : tensor<8x16xf32>
    %190 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %191 = stablehlo.multiply %187, %190 : tensor<8x16xf32>
    %192 = stablehlo.add %189, %191 : tensor<8x16xf32>
    %193 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %194 = stablehlo.multiply %v7, %193 : tensor<8x16xf32>
    %195 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %196 = stablehlo.multiply %187, %195 : tensor<8x16xf32>
    %197 = stablehlo.multiply %196, %187 : tensor<8x16xf32>
    %198 = stablehlo.add %194, %197 : tensor<8x16xf32>
    %199 = stablehlo.sqrt %198 : tensor<8x16xf32>
    %200 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %201 = stablehlo.divide %199, %200 : tensor<8x16xf32>
    %202 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %203 = stablehlo.add %201, %202 : tensor<8x16xf32>
    %204 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %205 = stablehlo.multiply %p7, %204 : tensor<8x16xf32>
    %206 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %207 = stablehlo.multiply %192, %206 : tensor<8x16xf32>
    %208 = stablehlo.divide %207, %203 : tensor<8x16xf32>
    %209 = stablehlo.subtract %205, %208 : tensor<8x16xf32>
    %210 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %211 = stablehlo.multiply %g8, %210 : tensor<8x16xf32>
    %212 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %213 = stablehlo.multiply %m8, %212 : tensor<8x16xf32>
    %214 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %215 = stablehlo.multiply %211, %214 : tensor<8x16xf32>
    %216 = stablehlo.add %213, %215 : tensor<8x16xf32>
    %217 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %218 = stablehlo.multiply %v8, %217 : tensor<8x16xf32>
    %219 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %220 = stablehlo.multiply %211, %219 : tensor<8x16xf32>
    %221 = stablehlo.multiply %220, %211 : tensor<8x16xf32>
    %222 = stablehlo.add %218, %221 : tensor<8x16xf32>
    %223 = stablehlo.sqrt %222 : tensor<8x16xf32>
    %224 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %225 = stablehlo.divide %223, %224 : tensor<8x16xf32>
    %226 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %227 = stablehlo.add %225, %226 : tensor<8x16xf32>
    %228 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %229 = stablehlo.multiply %p8, %228 : tensor<8x16xf32>
    %230 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<8x16xf32>
    %231 = stablehlo.multiply %216, %230 : tensor<8x16xf32>
    %232 = stablehlo.divide %231, %227 : tensor<8x16xf32>
    %233 = stablehlo.subtract %229, %232 : tensor<8x16xf32>
    %234 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %235 = stablehlo.multiply %g9, %234 : tensor<16x8xf32>
    %236 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %237 = stablehlo.multiply %m9, %236 : tensor<16x8xf32>
    %238 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %239 = stablehlo.multiply %235, %238 : tensor<16x8xf32>
    %240 = stablehlo.add %237, %239 : tensor<16x8xf32>
    %241 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %242 = stablehlo.multiply %v9, %241 : tensor<16x8xf32>
    %243 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %244 = stablehlo.multiply %235, %243 : tensor<16x8xf32>
    %245 = stablehlo.multiply %244, %235 : tensor<16x8xf32>
    %246 = stablehlo.add %242, %245 : tensor<16x8xf32>
    %247 = stablehlo.sqrt %246 : tensor<16x8xf32>
    %248 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %249 = stablehlo.divide %247, %248 : tensor<16x8xf32>
    %250 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %251 = stablehlo.add %249, %250 : tensor<16x8xf32>
    %252 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %253 = stablehlo.multiply %p9, %252 : tensor<16x8xf32>
    %254 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16x8xf32>
    %255 = stablehlo.multiply %240, %254 : tensor<16x8xf32>
    %256 = stablehlo.divide %255, %251 : tensor<16x8xf32>
    %257 = stablehlo.subtract %253, %256 : tensor<16x8xf32>
    %258 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %259 = stablehlo.multiply %g10, %258 : tensor<16xf32>
    %260 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %261 = stablehlo.multiply %m10, %260 : tensor<16xf32>
    %262 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %263 = stablehlo.multiply %259, %262 : tensor<16xf32>
    %264 = stablehlo.add %261, %263 : tensor<16xf32>
    %265 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %266 = stablehlo.multiply %v10, %265 : tensor<16xf32>
    %267 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %268 = stablehlo.multiply %259, %267 : tensor<16xf32>
    %269 = stablehlo.multiply %268, %259 : tensor<16xf32>
    %270 = stablehlo.add %266, %269 : tensor<16xf32>
    %271 = stablehlo.sqrt %270 : tensor<16xf32>
    %272 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %273 = stablehlo.divide %271, %272 : tensor<16xf32>
    %274 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %275 = stablehlo.add %273, %274 : tensor<16xf32>
    %276 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %277 = stablehlo.multiply %p10, %276 : tensor<16xf32>
    %278 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %279 = stablehlo.multiply %264, %278 : tensor<16xf32>
    %280 = stablehlo.divide %279, %275 : tensor<16xf32>
    %281 = stablehlo.subtract %277, %280 : tensor<16xf32>
    %282 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %283 = stablehlo.multiply %g11, %282 : tensor<24x16xf32>
    %284 = stablehlo.broadcast_in_dim %5, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %285 = stablehlo.multiply %m11, %284 : tensor<24x16xf32>
    %286 = stablehlo.broadcast_in_dim %7, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %287 = stablehlo.multiply %283, %286 : tensor<24x16xf32>
    %288 = stablehlo.add %285, %287 : tensor<24x16xf32>
    %289 = stablehlo.broadcast_in_dim %9, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %290 = stablehlo.multiply %v11, %289 : tensor<24x16xf32>
    %291 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %292 = stablehlo.multiply %283, %291 : tensor<24x16xf32>
    %293 = stablehlo.multiply %292, %283 : tensor<24x16xf32>
    %294 = stablehlo.add %290, %293 : tensor<24x16xf32>
    %295 = stablehlo.sqrt %294 : tensor<24x16xf32>
    %296 = stablehlo.broadcast_in_dim %15, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %297 = stablehlo.divide %295, %296 : tensor<24x16xf32>
    %298 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %299 = stablehlo.add %297, %298 : tensor<24x16xf32>
    %300 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %301 = stablehlo.multiply %p11, %300 : tensor<24x16xf32>
    %302 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<24x16xf32>
    %303 = stablehlo.multiply %288, %302 : tensor<24x16xf32>
    %304 = stablehlo.divide %303, %299 : tensor<24x16xf32>
    %305 = stablehlo.subtract %301, %304 : tensor<24x16xf32>
    return %41, %65, %89, %113, %137, %161, %185, %209, %233, %257, %281, %305, %24, %48, %72, %96, %120, %144, %168, %192, %216, %240, %264, %288, %30, %54, %78, %102, %126, %150, %174, %198, %222, %246, %270, %294 : tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
