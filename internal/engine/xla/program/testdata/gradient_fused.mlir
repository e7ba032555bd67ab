module @gradient {
  func.func public @main(%p0: tensor<24x16xf32>, %p1: tensor<16xf32>, %p2: tensor<16x16xf32>, %p3: tensor<8x16xf32>, %p4: tensor<8x16xf32>, %p5: tensor<16x16xf32>, %p6: tensor<16xf32>, %p7: tensor<8x16xf32>, %p8: tensor<8x16xf32>, %p9: tensor<16x8xf32>, %p10: tensor<16xf32>, %p11: tensor<24x16xf32>, %inputs: tensor<2x64xi32>, %targets: tensor<2x64xi32>, %cos: tensor<64x4xf32>, %sin: tensor<64x4xf32>, %scale: tensor<f32>, %g0: tensor<24x16xf32> {tf.aliasing_output = 1 : i32}, %g1: tensor<16xf32> {tf.aliasing_output = 2 : i32}, %g2: tensor<16x16xf32> {tf.aliasing_output = 3 : i32}, %g3: tensor<8x16xf32> {tf.aliasing_output = 4 : i32}, %g4: tensor<8x16xf32> {tf.aliasing_output = 5 : i32}, %g5: tensor<16x16xf32> {tf.aliasing_output = 6 : i32}, %g6: tensor<16xf32> {tf.aliasing_output = 7 : i32}, %g7: tensor<8x16xf32> {tf.aliasing_output = 8 : i32}, %g8: tensor<8x16xf32> {tf.aliasing_output = 9 : i32}, %g9: tensor<16x8xf32> {tf.aliasing_output = 10 : i32}, %g10: tensor<16xf32> {tf.aliasing_output = 11 : i32}, %g11: tensor<24x16xf32> {tf.aliasing_output = 12 : i32}) -> (tensor<2x64xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>) {
    %0 = stablehlo.reshape %inputs : (tensor<2x64xi32>) -> tensor<128xi32>
    %1 = stablehlo.reshape %0 : (tensor<128xi32>) -> tensor<128x1xi32>
    %2 = "stablehlo.gather"(%p0, %1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16>}> : (tensor<24x16xf32>, tensor<128x1xi32>) -> tensor<128x16xf32>
    %3 = stablehlo.multiply %2, %2 : tensor<128x16xf32>
    %4 = stablehlo.constant dense<0.0> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %6 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %7 = stablehlo.divide %5, %6 : tensor<128xf32>
    %8 = stablehlo.constant dense<1.000000000e-05> : tensor<128xf32>
    %9 = stablehlo.add %7, %8 : tensor<128xf32>
    %10 = stablehlo.rsqrt %9 : tensor<128xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %12 = stablehlo.multiply %2, %11 : tensor<128x16xf32>
    %13 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<128x16xf32>
    %15 = stablehlo.convert %14 : (tensor<128x16xf32>) -> tensor<128x16xbf16>
    %16 = stablehlo.convert %p2 : (tensor<16x16xf32>) -> tensor<16x16xbf16>
    %17 = stablehlo.dot_general %15, %16, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<16x16xbf16>) -> tensor<128x16xbf16>
    %18 = stablehlo.reshape %17 : (tensor<128x16xbf16>) -> tensor<2x64x2x8xbf16>
    %19 = stablehlo.convert %18 : (tensor<2x64x2x8xbf16>) -> tensor<2x64x2x8xf32>
    %20 = stablehlo.slice %19 [0:2, 0:64, 0:2, 0:4] : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x4xf32>
    %21 = stablehlo.slice %19 [0:2, 0:64, 0:2, 4:8] : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x4xf32>
    %22 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x2x4xf32>
    %23 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x2x4xf32>
    %24 = stablehlo.multiply %20, %22 : tensor<2x64x2x4xf32>
    %25 = stablehlo.multiply %21, %23 : tensor<2x64x2x4xf32>
    %26 = stablehlo.subtract %24, %25 : tensor<2x64x2x4xf32>
    %27 = stablehlo.multiply %21, %22 : tensor<2x64x2x4xf32>
    %28 = stablehlo.multiply %20, %23 : tensor<2x64x2x4xf32>
    %29 = stablehlo.add %27, %28 : tensor<2x64x2x4xf32>
    %30 = stablehlo.concatenate %26, %29, dim = 3 : (tensor<2x64x2x4xf32>, tensor<2x64x2x4xf32>) -> tensor<2x64x2x8xf32>
    %31 = stablehlo.convert %30 : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x8xbf16>
    %32 = stablehlo.convert %p3 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %33 = stablehlo.dot_general %15, %32, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<8x16xbf16>) -> tensor<128x8xbf16>
    %34 = stablehlo.reshape %33 : (tensor<128x8xbf16>) -> tensor<2x64x1x8xbf16>
    %35 = stablehlo.convert %34 : (tensor<2x64x1x8xbf16>) -> tensor<2x64x1x8xf32>
    %36 = stablehlo.slice %35 [0:2, 0:64, 0:1, 0:4] : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x4xf32>
    %37 = stablehlo.slice %35 [0:2, 0:64, 0:1, 4:8] : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x4xf32>
    %38 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x1x4xf32>
    %39 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x1x4xf32>
    %40 = stablehlo.multiply %36, %38 : tensor<2x64x1x4xf32>
    %41 = stablehlo.multiply %37, %39 : tensor<2x64x1x4xf32>
    %42 = stablehlo.subtract %40, %41 : tensor<2x64x1x4xf32>
    %43 = stablehlo.multiply %37, %38 : tensor<2x64x1x4xf32>
    %44 = stablehlo.multiply %36, %39 : tensor<2x64x1x4xf32>
    %45 = stablehlo.add %43, %44 : tensor<2x64x1x4xf32>
    %46 = stablehlo.concatenate %42, %45, dim = 3 : (tensor<2x64x1x4xf32>, tensor<2x64x1x4xf32>) -> tensor<2x64x1x8xf32>
    %47 = stablehlo.convert %46 : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x8xbf16>
    %48 = stablehlo.convert %p4 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %49 = stablehlo.dot_general %15, %48, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<8x16xbf16>) -> tensor<128x8xbf16>
    %50 = stablehlo.reshape %49 : (tensor<128x8xbf16>) -> tensor<2x64x1x8xbf16>
    %51:3 = stablehlo.custom_call @__cudnn$fmhaSoftmax(%31, %47, %50) {api_version = 2 : i32, backend_config = "{\22cudnn_fmha_backend_config\22:{\22algorithm\22:{\22algo_id\22:\220\22,\22is_cudnn_frontend\22:true,\22math_type\22:\22TENSOR_OP_MATH\22,\22tuning_knobs\22:{\2217\22:\221\22,\2224\22:\220\22},\22workspace_size\22:\220\22},\22bmm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\223\22],\22lhs_batch_dimensions\22:[\220\22,\222\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22dropout_rate\22:0,\22fmha_scale\22:0.35355339059327373,\22intermediate_tensor_shape\22:{\22dimensions\22:[\222\22,\222\22,\2264\22,\2264\22],\22element_type\22:\22BF16\22,\22is_dynamic_dimension\22:[false,false,false,false],\22layout\22:{\22dim_level_types\22:[],\22dim_ordered\22:[],\22dim_unique\22:[],\22dynamic_shape_metadata_prefix_bytes\22:\220\22,\22element_size_in_bits\22:\220\22,\22index_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22memory_space\22:\220\22,\22minor_to_major\22:[\223\22,\222\22,\221\22,\220\22],\22pointer_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22tiles\22:[]},\22tuple_shapes\22:[]},\22is_flash_attention\22:true,\22is_paged_attention\22:false,\22mask_type\22:\22CAUSAL\22,\22max_seg_per_batch\22:1,\22seed\22:42,\22sliding_window_length\22:0},\22operation_queue_id\22:\220\22}", operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>], result_layouts = [dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>, dense<0> : tensor<1xindex>]} : (tensor<2x64x2x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x64x1x8xbf16>) -> (tensor<2x2x64x8xbf16>, tensor<2x2x64xf32>, tensor<0xui8>)
    %52 = stablehlo.transpose %51#0, dims = [0, 2, 1, 3] : (tensor<2x2x64x8xbf16>) -> tensor<2x64x2x8xbf16>
    %53 = stablehlo.reshape %52 : (tensor<2x64x2x8xbf16>) -> tensor<128x16xbf16>
    %54 = stablehlo.convert %p5 : (tensor<16x16xf32>) -> tensor<16x16xbf16>
    %55 = stablehlo.dot_general %53, %54, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<16x16xbf16>) -> tensor<128x16xbf16>
    %56 = stablehlo.convert %55 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %57 = stablehlo.add %2, %56 : tensor<128x16xf32>
    %58 = stablehlo.multiply %57, %57 : tensor<128x16xf32>
    %59 = stablehlo.constant dense<0.0> : tensor<f32>
    %60 = stablehlo.reduce(%58 init: %59) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %61 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %62 = stablehlo.divide %60, %61 : tensor<128xf32>
    %63 = stablehlo.constant dense<1.000000000e-05> : tensor<128xf32>
    %64 = stablehlo.add %62, %63 : tensor<128xf32>
    %65 = stablehlo.rsqrt %64 : tensor<128xf32>
    %66 = stablehlo.broadcast_in_dim %65, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %67 = stablehlo.multiply %57, %66 : tensor<128x16xf32>
    %68 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %69 = stablehlo.multiply %67, %68 : tensor<128x16xf32>
    %70 = stablehlo.convert %69 : (tensor<128x16xf32>) -> tensor<128x16xbf16>
    %71 = stablehlo.convert %p7 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %72 = stablehlo.dot_general %70, %71, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<8x16xbf16>) -> tensor<128x8xbf16>
    %73 = stablehlo.convert %p8 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %74 = stablehlo.dot_general %70, %73, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<8x16xbf16>) -> tensor<128x8xbf16>
    %75 = stablehlo.convert %72 : (tensor<128x8xbf16>) -> tensor<128x8xf32>
    %76 = stablehlo.logistic %75 : tensor<128x8xf32>
    %77 = stablehlo.multiply %75, %76 : tensor<128x8xf32>
    %78 = stablehlo.convert %74 : (tensor<128x8xbf16>) -> tensor<128x8xf32>
    %79 = stablehlo.multiply %77, %78 : tensor<128x8xf32>
    %80 = stablehlo.convert %79 : (tensor<128x8xf32>) -> tensor<128x8xbf16>
    %81 = stablehlo.convert %p9 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %82 = stablehlo.dot_general %80, %81, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<16x8xbf16>) -> tensor<128x16xbf16>
    %83 = stablehlo.convert %82 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %84 = stablehlo.add %57, %83 : tensor<128x16xf32>
    %85 = stablehlo.reshape %84 : (tensor<128x16xf32>) -> tensor<2x64x16xf32>
    %86 = stablehlo.reshape %85 : (tensor<2x64x16xf32>) -> tensor<128x16xf32>
    %87 = stablehlo.reshape %targets : (tensor<2x64xi32>) -> tensor<128xi32>
    %88 = stablehlo.multiply %86, %86 : tensor<128x16xf32>
    %89 = stablehlo.constant dense<0.0> : tensor<f32>
    %90 = stablehlo.reduce(%88 init: %89) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %91 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %92 = stablehlo.divide %90, %91 : tensor<128xf32>
    %93 = stablehlo.constant dense<1.000000000e-05> : tensor<128xf32>
    %94 = stablehlo.add %92, %93 : tensor<128xf32>
    %95 = stablehlo.rsqrt %94 : tensor<128xf32>
    %96 = stablehlo.broadcast_in_dim %95, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %97 = stablehlo.multiply %86, %96 : tensor<128x16xf32>
    %98 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %99 = stablehlo.multiply %97, %98 : tensor<128x16xf32>
    %100 = stablehlo.convert %99 : (tensor<128x16xf32>) -> tensor<128x16xbf16>
    %101 = stablehlo.convert %p11 : (tensor<24x16xf32>) -> tensor<24x16xbf16>
    %102 = stablehlo.dot_general %100, %101, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<24x16xbf16>) -> tensor<128x24xf32>
    %103 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %104 = stablehlo.reduce(%102 init: %103) applies stablehlo.maximum across dimensions = [1] : (tensor<128x24xf32>, tensor<f32>) -> tensor<128xf32>
    %105 = stablehlo.broadcast_in_dim %104, dims = [0] : (tensor<128xf32>) -> tensor<128x24xf32>
    %106 = stablehlo.subtract %102, %105 : tensor<128x24xf32>
    %107 = stablehlo.exponential %106 : tensor<128x24xf32>
    %108 = stablehlo.constant dense<0.0> : tensor<f32>
    %109 = stablehlo.reduce(%107 init: %108) applies stablehlo.add across dimensions = [1] : (tensor<128x24xf32>, tensor<f32>) -> tensor<128xf32>
    %110 = stablehlo.iota dim = 1 : tensor<128x24xi32>
    %111 = stablehlo.broadcast_in_dim %87, dims = [0] : (tensor<128xi32>) -> tensor<128x24xi32>
    %112 = stablehlo.compare EQ, %110, %111, SIGNED : (tensor<128x24xi32>, tensor<128x24xi32>) -> tensor<128x24xi1>
    %113 = stablehlo.constant dense<0.000000000e+00> : tensor<128x24xf32>
    %114 = stablehlo.select %112, %102, %113 : tensor<128x24xi1>, tensor<128x24xf32>
    %115 = stablehlo.constant dense<0.0> : tensor<f32>
    %116 = stablehlo.reduce(%114 init: %115) applies stablehlo.add across dimensions = [1] : (tensor<128x24xf32>, tensor<f32>) -> tensor<128xf32>
    %117 = stablehlo.constant dense<0> : tensor<128xi32>
    %118 = stablehlo.compare GE, %87, %117, SIGNED : (tensor<128xi32>, tensor<128xi32>) -> tensor<128xi1>
    %119 = stablehlo.log %109 : tensor<128xf32>
    %120 = stablehlo.add %119, %104 : tensor<128xf32>
    %121 = stablehlo.subtract %120, %116 : tensor<128xf32>
    %122 = stablehlo.constant dense<0.000000000e+00> : tensor<128xf32>
    %123 = stablehlo.select %118, %121, %122 : tensor<128xi1>, tensor<128xf32>
    %124 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %125 = stablehlo.constant dense<0.000000000e+00> : tensor<128xf32>
    %126 = stablehlo.select %118, %124, %125 : tensor<128xi1>, tensor<128xf32>
    %127 = stablehlo.broadcast_in_dim %109, dims = [0] : (tensor<128xf32>) -> tensor<128x24xf32>
    %128 = stablehlo.divide %107, %127 : tensor<128x24xf32>
    %129 = stablehlo.constant dense<1.000000000e+00> : tensor<128x24xf32>
    %130 = stablehlo.select %112, %129, %113 : tensor<128x24xi1>, tensor<128x24xf32>
    %131 = stablehlo.subtract %128, %130 : tensor<128x24xf32>
    %132 = stablehlo.broadcast_in_dim %126, dims = [0] : (tensor<128xf32>) -> tensor<128x24xf32>
    %133 = stablehlo.multiply %131, %132 : tensor<128x24xf32>
    %134 = stablehlo.convert %133 : (tensor<128x24xf32>) -> tensor<128x24xbf16>
    %135 = stablehlo.dot_general %134, %100, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x24xbf16>, tensor<128x16xbf16>) -> tensor<24x16xf32>
    %136 = stablehlo.add %g11, %135 : tensor<24x16xf32>
    %137 = stablehlo.dot_general %134, %101, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x24xbf16>, tensor<24x16xbf16>) -> tensor<128x16xbf16>
    %138 = stablehlo.convert %137 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %139 = stablehlo.broadcast_in_dim %95, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %140 = stablehlo.multiply %86, %139 : tensor<128x16xf32>
    %141 = stablehlo.multiply %138, %140 : tensor<128x16xf32>
    %142 = stablehlo.constant dense<0.0> : tensor<f32>
    %143 = stablehlo.reduce(%141 init: %142) applies stablehlo.add across dimensions = [0] : (tensor<128x16xf32>, tensor<f32>) -> tensor<16xf32>
    %144 = stablehlo.add %g10, %143 : tensor<16xf32>
    %145 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %146 = stablehlo.multiply %138, %145 : tensor<128x16xf32>
    %147 = stablehlo.multiply %146, %140 : tensor<128x16xf32>
    %148 = stablehlo.constant dense<0.0> : tensor<f32>
    %149 = stablehlo.reduce(%147 init: %148) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %150 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %151 = stablehlo.divide %149, %150 : tensor<128xf32>
    %152 = stablehlo.broadcast_in_dim %95, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %153 = stablehlo.broadcast_in_dim %151, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %154 = stablehlo.multiply %140, %153 : tensor<128x16xf32>
    %155 = stablehlo.subtract %146, %154 : tensor<128x16xf32>
    %156 = stablehlo.multiply %152, %155 : tensor<128x16xf32>
    %157 = stablehlo.reshape %123 : (tensor<128xf32>) -> tensor<2x64xf32>
    %158 = stablehlo.reshape %156 : (tensor<128x16xf32>) -> tensor<2x64x16xf32>
    %159 = stablehlo.reshape %158 : (tensor<2x64x16xf32>) -> tensor<128x16xf32>
    %160 = stablehlo.convert %159 : (tensor<128x16xf32>) -> tensor<128x16xbf16>
    %161 = stablehlo.dot_general %160, %80, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<128x8xbf16>) -> tensor<16x8xf32>
    %162 = stablehlo.add %g9, %161 : tensor<16x8xf32>
    %163 = stablehlo.dot_general %160, %81, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<16x8xbf16>) -> tensor<128x8xbf16>
    %164 = stablehlo.convert %163 : (tensor<128x8xbf16>) -> tensor<128x8xf32>
    %165 = stablehlo.convert %72 : (tensor<128x8xbf16>) -> tensor<128x8xf32>
    %166 = stablehlo.convert %74 : (tensor<128x8xbf16>) -> tensor<128x8xf32>
    %167 = stablehlo.logistic %165 : tensor<128x8xf32>
    %168 = stablehlo.constant dense<1.000000000e+00> : tensor<128x8xf32>
    %169 = stablehlo.multiply %165, %167 : tensor<128x8xf32>
    %170 = stablehlo.multiply %164, %169 : tensor<128x8xf32>
    %171 = stablehlo.convert %170 : (tensor<128x8xf32>) -> tensor<128x8xbf16>
    %172 = stablehlo.multiply %164, %166 : tensor<128x8xf32>
    %173 = stablehlo.subtract %168, %167 : tensor<128x8xf32>
    %174 = stablehlo.multiply %165, %173 : tensor<128x8xf32>
    %175 = stablehlo.add %168, %174 : tensor<128x8xf32>
    %176 = stablehlo.multiply %167, %175 : tensor<128x8xf32>
    %177 = stablehlo.multiply %172, %176 : tensor<128x8xf32>
    %178 = stablehlo.convert %177 : (tensor<128x8xf32>) -> tensor<128x8xbf16>
    %179 = stablehlo.dot_general %178, %70, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<128x16xbf16>) -> tensor<8x16xf32>
    %180 = stablehlo.add %g7, %179 : tensor<8x16xf32>
    %181 = stablehlo.dot_general %171, %70, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<128x16xbf16>) -> tensor<8x16xf32>
    %182 = stablehlo.add %g8, %181 : tensor<8x16xf32>
    %183 = stablehlo.dot_general %178, %71, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<8x16xbf16>) -> tensor<128x16xbf16>
    %184 = stablehlo.convert %183 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %185 = stablehlo.dot_general %171, %73, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<8x16xbf16>) -> tensor<128x16xbf16>
    %186 = stablehlo.convert %185 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %187 = stablehlo.add %184, %186 : tensor<128x16xf32>
    %188 = stablehlo.broadcast_in_dim %65, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %189 = stablehlo.multiply %57, %188 : tensor<128x16xf32>
    %190 = stablehlo.multiply %187, %189 : tensor<128x16xf32>
    %191 = stablehlo.constant dense<0.0> : tensor<f32>
    %192 = stablehlo.reduce(%190 init: %191) applies stablehlo.add across dimensions = [0] : (tensor<128x16xf32>, tensor<f32>) -> tensor<16xf32>
    %193 = stablehlo.add %g6, %192 : tensor<16xf32>
    %194 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %195 = stablehlo.multiply %187, %194 : tensor<128x16xf32>
    %196 = stablehlo.multiply %195, %189 : tensor<128x16xf32>
    %197 = stablehlo.constant dense<0.0> : tensor<f32>
    %198 = stablehlo.reduce(%196 init: %197) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %199 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %200 = stablehlo.divide %198, %199 : tensor<128xf32>
    %201 = stablehlo.broadcast_in_dim %65, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %202 = stablehlo.broadcast_in_dim %200, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %203 = stablehlo.multiply %189, %202 : tensor<128x16xf32>
    %204 = stablehlo.subtract %195, %203 : tensor<128x16xf32>
    %205 = stablehlo.multiply %201, %204 : tensor<128x16xf32>
    %206 = stablehlo.add %159, %205 : tensor<128x16xf32>
    %207 = stablehlo.convert %206 : (tensor<128x16xf32>) -> tensor<128x16xbf16>
    %208 = stablehlo.reshape %52 : (tensor<2x64x2x8xbf16>) -> tensor<128x16xbf16>
    %209 = stablehlo.dot_general %207, %208, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<128x16xbf16>) -> tensor<16x16xf32>
    %210 = stablehlo.add %g5, %209 : tensor<16x16xf32>
    %211 = stablehlo.dot_general %207, %54, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<16x16xbf16>) -> tensor<128x16xbf16>
    %212 = stablehlo.reshape %211 : (tensor<128x16xbf16>) -> tensor<2x64x2x8xbf16>
    %213:4 = stablehlo.custom_call @__cudnn$fmhaSoftmaxBackward(%31, %47, %50, %51#1, %212, %52) {api_version = 2 : i32, backend_config = "{\22cudnn_fmha_backend_config\22:{\22algorithm\22:{\22algo_id\22:\220\22,\22is_cudnn_frontend\22:true,\22math_type\22:\22TENSOR_OP_MATH\22,\22tuning_knobs\22:{\2217\22:\221\22,\2224\22:\220\22},\22workspace_size\22:\220\22},\22bmm1_grad_gemm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\222\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm1_grad_gemm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_grad_gemm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\222\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_grad_gemm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\223\22],\22lhs_batch_dimensions\22:[\220\22,\222\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22dropout_rate\22:0,\22fmha_scale\22:0.35355339059327373,\22intermediate_tensor_shape\22:{\22dimensions\22:[\222\22,\222\22,\2264\22,\2264\22],\22element_type\22:\22BF16\22,\22is_dynamic_dimension\22:[false,false,false,false],\22layout\22:{\22dim_level_types\22:[],\22dim_ordered\22:[],\22dim_unique\22:[],\22dynamic_shape_metadata_prefix_bytes\22:\220\22,\22element_size_in_bits\22:\220\22,\22index_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22memory_space\22:\220\22,\22minor_to_major\22:[\223\22,\222\22,\221\22,\220\22],\22pointer_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22tiles\22:[]},\22tuple_shapes\22:[]},\22is_flash_attention\22:true,\22is_paged_attention\22:false,\22mask_type\22:\22CAUSAL\22,\22max_seg_per_batch\22:1,\22seed\22:42,\22sliding_window_length\22:0},\22operation_queue_id\22:\220\22}", operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>], result_layouts = [dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<0> : tensor<1xindex>]} : (tensor<2x64x2x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x2x64xf32>, tensor<2x64x2x8xbf16>, tensor<2x64x2x8xbf16>) -> (tensor<2x2x64x8xbf16>, tensor<2x1x64x8xbf16>, tensor<2x1x64x8xbf16>, tensor<0xui8>)
    %214 = stablehlo.transpose %213#0, dims = [0, 2, 1, 3] : (tensor<2x2x64x8xbf16>) -> tensor<2x64x2x8xbf16>
    %215 = stablehlo.transpose %213#1, dims = [0, 2, 1, 3] : (tensor<2x1x64x8xbf16>) -> tensor<2x64x1x8xbf16>
    %216 = stablehlo.transpose %213#2, dims = [0, 2, 1, 3] : (tensor<2x1x64x8xbf16>) -> tensor<2x64x1x8xbf16>
    %217 = stablehlo.convert %214 : (tensor<2x64x2x8xbf16>) -> tensor<2x64x2x8xf32>
    %218 = stablehlo.slice %217 [0:2, 0:64, 0:2, 0:4] : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x4xf32>
    %219 = stablehlo.slice %217 [0:2, 0:64, 0:2, 4:8] : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x4xf32>
    %220 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x2x4xf32>
    %221 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x2x4xf32>
    %222 = stablehlo.negate %221 : tensor<2x64x2x4xf32>
    %223 = stablehlo.multiply %218, %220 : tensor<2x64x2x4xf32>
    %224 = stablehlo.multiply %219, %222 : tensor<2x64x2x4xf32>
    %225 = stablehlo.subtract %223, %224 : tensor<2x64x2x4xf32>
    %226 = stablehlo.multiply %219, %220 : tensor<2x64x2x4xf32>
    %227 = stablehlo.multiply %218, %222 : tensor<2x64x2x4xf32>
    %228 = stablehlo.add %226, %227 : tensor<2x64x2x4xf32>
    %229 = stablehlo.concatenate %225, %228, dim = 3 : (tensor<2x64x2x4xf32>, tensor<2x64x2x4xf32>) -> tensor<2x64x2x8xf32>
    %230 = stablehlo.convert %229 : (tensor<2x64x2x8xf32>) -> tensor<2x64x2x8xbf16>
    %231 = stablehlo.reshape %230 : (tensor<2x64x2x8xbf16>) -> tensor<128x16xbf16>
    %232 = stablehlo.convert %215 : (tensor<2x64x1x8xbf16>) -> tensor<2x64x1x8xf32>
    %233 = stablehlo.slice %232 [0:2, 0:64, 0:1, 0:4] : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x4xf32>
    %234 = stablehlo.slice %232 [0:2, 0:64, 0:1, 4:8] : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x4xf32>
    %235 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x1x4xf32>
    %236 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<2x64x1x4xf32>
    %237 = stablehlo.negate %236 : tensor<2x64x1x4xf32>
    %238 = stablehlo.multiply %233, %235 : tensor<2x64x1x4xf32>
    %239 = stablehlo.multiply %234, %237 : tensor<2x64x1x4xf32>
    %240 = stablehlo.subtract %238, %239 : tensor<2x64x1x4xf32>
    %241 = stablehlo.multiply %234, %235 : tensor<2x64x1x4xf32>
    %242 = stablehlo.multiply %233, %237 : tensor<2x64x1x4xf32>
    %243 = stablehlo.add %241, %242 : tensor<2x64x1x4xf32>
    %244 = stablehlo.concatenate %240, %243, dim = 3 : (tensor<2x64x1x4xf32>, tensor<2x64x1x4xf32>) -> tensor<2x64x1x8xf32>
    %245 = stablehlo.convert %244 : (tensor<2x64x1x8xf32>) -> tensor<2x64x1x8xbf16>
    %246 = stablehlo.reshape %245 : (tensor<2x64x1x8xbf16>) -> tensor<128x8xbf16>
    %247 = stablehlo.reshape %216 : (tensor<2x64x1x8xbf16>) -> tensor<128x8xbf16>
    %248 = stablehlo.dot_general %231, %15, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<128x16xbf16>) -> tensor<16x16xf32>
    %249 = stablehlo.add %g2, %248 : tensor<16x16xf32>
    %250 = stablehlo.dot_general %231, %16, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x16xbf16>, tensor<16x16xbf16>) -> tensor<128x16xbf16>
    %251 = stablehlo.convert %250 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %252 = stablehlo.dot_general %246, %15, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<128x16xbf16>) -> tensor<8x16xf32>
    %253 = stablehlo.add %g3, %252 : tensor<8x16xf32>
    %254 = stablehlo.dot_general %246, %32, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<8x16xbf16>) -> tensor<128x16xbf16>
    %255 = stablehlo.convert %254 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %256 = stablehlo.add %251, %255 : tensor<128x16xf32>
    %257 = stablehlo.dot_general %247, %15, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<128x16xbf16>) -> tensor<8x16xf32>
    %258 = stablehlo.add %g4, %257 : tensor<8x16xf32>
    %259 = stablehlo.dot_general %247, %48, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<128x8xbf16>, tensor<8x16xbf16>) -> tensor<128x16xbf16>
    %260 = stablehlo.convert %259 : (tensor<128x16xbf16>) -> tensor<128x16xf32>
    %261 = stablehlo.add %256, %260 : tensor<128x16xf32>
    %262 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %263 = stablehlo.multiply %2, %262 : tensor<128x16xf32>
    %264 = stablehlo.multiply %261, %263 : tensor<128x16xf32>
    %265 = stablehlo.constant dense<0.0> : tensor<f32>
    %266 = stablehlo.reduce(%264 init: %265) applies stablehlo.add across dimensions = [0] : (tensor<128x16xf32>, tensor<f32>) -> tensor<16xf32>
    %267 = stablehlo.add %g1, %266 : tensor<16xf32>
    %268 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<128x16xf32>
    %269 = stablehlo.multiply %261, %268 : tensor<128x16xf32>
    %270 = stablehlo.multiply %269, %263 : tensor<128x16xf32>
    %271 = stablehlo.constant dense<0.0> : tensor<f32>
    %272 = stablehlo.reduce(%270 init: %271) applies stablehlo.add across dimensions = [1] : (tensor<128x16xf32>, tensor<f32>) -> tensor<128xf32>
    %273 = stablehlo.constant dense<1.600000000e+01> : tensor<128xf32>
    %274 = stablehlo.divide %272, %273 : tensor<128xf32>
    %275 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %276 = stablehlo.broadcast_in_dim %274, dims = [0] : (tensor<128xf32>) -> tensor<128x16xf32>
    %277 = stablehlo.multiply %263, %276 : tensor<128x16xf32>
    %278 = stablehlo.subtract %269, %277 : tensor<128x16xf32>
    %279 = stablehlo.multiply %275, %278 : tensor<128x16xf32>
    %280 = stablehlo.add %206, %279 : tensor<128x16xf32>
    %281 = stablehlo.reshape %0 : (tensor<128xi32>) -> tensor<128x1xi32>
    %282 = "stablehlo.scatter"(%g0, %281, %280) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<24x16xf32>, tensor<128x1xi32>, tensor<128x16xf32>) -> tensor<24x16xf32>
    return %157, %282, %267, %249, %253, %258, %210, %193, %180, %182, %162, %144, %136 : tensor<2x64xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
