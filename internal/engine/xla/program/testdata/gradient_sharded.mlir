module @gradient attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%p0: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p1: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p2: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p3: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p4: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p5: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p6: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p7: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p8: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p9: tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p10: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p11: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %inputs: tensor<4x64xi32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %targets: tensor<4x64xi32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %cos: tensor<64x4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}, %sin: tensor<64x4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}, %scale: tensor<f32> {sdy.sharding = #sdy.sharding<@mesh, []>}, %g0: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 1 : i32}, %g1: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>, tf.aliasing_output = 2 : i32}, %g2: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 3 : i32}, %g3: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 4 : i32}, %g4: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 5 : i32}, %g5: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 6 : i32}, %g6: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>, tf.aliasing_output = 7 : i32}, %g7: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 8 : i32}, %g8: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 9 : i32}, %g9: tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 10 : i32}, %g10: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>, tf.aliasing_output = 11 : i32}, %g11: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>, tf.aliasing_output = 12 : i32}) -> (tensor<4x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}) {
    %0 = stablehlo.reshape %inputs : (tensor<4x64xi32>) -> tensor<256xi32>
    %1 = sdy.sharding_constraint %p0 <@mesh, [{}, {}]> : tensor<24x16xf32>
    %2 = stablehlo.reshape %0 : (tensor<256xi32>) -> tensor<256x1xi32>
    %3 = "stablehlo.gather"(%1, %2) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16>}> : (tensor<24x16xf32>, tensor<256x1xi32>) -> tensor<256x16xf32>
    %4 = sdy.sharding_constraint %3 <@mesh, [{"x"}, {}]> : tensor<256x16xf32>
    %5 = stablehlo.multiply %4, %4 : tensor<256x16xf32>
    %6 = stablehlo.constant dense<0.0> : tensor<f32>
    %7 = stablehlo.reduce(%5 init: %6) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %8 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %9 = stablehlo.divide %7, %8 : tensor<256xf32>
    %10 = stablehlo.constant dense<1.000000000e-05> : tensor<256xf32>
    %11 = stablehlo.add %9, %10 : tensor<256xf32>
    %12 = stablehlo.rsqrt %11 : tensor<256xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %14 = stablehlo.multiply %4, %13 : tensor<256x16xf32>
    %15 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %16 = stablehlo.multiply %14, %15 : tensor<256x16xf32>
    %17 = stablehlo.convert %16 : (tensor<256x16xf32>) -> tensor<256x16xbf16>
    %18 = stablehlo.convert %p2 : (tensor<16x16xf32>) -> tensor<16x16xbf16>
    %19 = sdy.sharding_constraint %18 <@mesh, [{}, {}]> : tensor<16x16xbf16>
    %20 = stablehlo.dot_general %17, %19, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<16x16xbf16>) -> tensor<256x16xbf16>
    %21 = stablehlo.reshape %20 : (tensor<256x16xbf16>) -> tensor<4x64x2x8xbf16>
    %22 = stablehlo.convert %21 : (tensor<4x64x2x8xbf16>) -> tensor<4x64x2x8xf32>
    %23 = stablehlo.slice %22 [0:4, 0:64, 0:2, 0:4] : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x4xf32>
    %24 = stablehlo.slice %22 [0:4, 0:64, 0:2, 4:8] : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x4xf32>
    %25 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x2x4xf32>
    %26 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x2x4xf32>
    %27 = stablehlo.multiply %23, %25 : tensor<4x64x2x4xf32>
    %28 = stablehlo.multiply %24, %26 : tensor<4x64x2x4xf32>
    %29 = stablehlo.subtract %27, %28 : tensor<4x64x2x4xf32>
    %30 = stablehlo.multiply %24, %25 : tensor<4x64x2x4xf32>
    %31 = stablehlo.multiply %23, %26 : tensor<4x64x2x4xf32>
    %32 = stablehlo.add %30, %31 : tensor<4x64x2x4xf32>
    %33 = stablehlo.concatenate %29, %32, dim = 3 : (tensor<4x64x2x4xf32>, tensor<4x64x2x4xf32>) -> tensor<4x64x2x8xf32>
    %34 = stablehlo.convert %33 : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x8xbf16>
    %35 = stablehlo.convert %p3 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %36 = sdy.sharding_constraint %35 <@mesh, [{}, {}]> : tensor<8x16xbf16>
    %37 = stablehlo.dot_general %17, %36, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<8x16xbf16>) -> tensor<256x8xbf16>
    %38 = stablehlo.reshape %37 : (tensor<256x8xbf16>) -> tensor<4x64x1x8xbf16>
    %39 = stablehlo.convert %38 : (tensor<4x64x1x8xbf16>) -> tensor<4x64x1x8xf32>
    %40 = stablehlo.slice %39 [0:4, 0:64, 0:1, 0:4] : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x4xf32>
    %41 = stablehlo.slice %39 [0:4, 0:64, 0:1, 4:8] : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x4xf32>
    %42 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x1x4xf32>
    %43 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x1x4xf32>
    %44 = stablehlo.multiply %40, %42 : tensor<4x64x1x4xf32>
    %45 = stablehlo.multiply %41, %43 : tensor<4x64x1x4xf32>
    %46 = stablehlo.subtract %44, %45 : tensor<4x64x1x4xf32>
    %47 = stablehlo.multiply %41, %42 : tensor<4x64x1x4xf32>
    %48 = stablehlo.multiply %40, %43 : tensor<4x64x1x4xf32>
    %49 = stablehlo.add %47, %48 : tensor<4x64x1x4xf32>
    %50 = stablehlo.concatenate %46, %49, dim = 3 : (tensor<4x64x1x4xf32>, tensor<4x64x1x4xf32>) -> tensor<4x64x1x8xf32>
    %51 = stablehlo.convert %50 : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x8xbf16>
    %52 = stablehlo.convert %p4 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %53 = sdy.sharding_constraint %52 <@mesh, [{}, {}]> : tensor<8x16xbf16>
    %54 = stablehlo.dot_general %17, %53, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<8x16xbf16>) -> tensor<256x8xbf16>
    %55 = stablehlo.reshape %54 : (tensor<256x8xbf16>) -> tensor<4x64x1x8xbf16>
    %56:2 = sdy.manual_computation(%34, %51, %55) in_shardings=[<@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>] out_shardings=[<@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}]>] manual_axes={"x"} (%57: tensor<2x64x2x8xbf16>, %58: tensor<2x64x1x8xbf16>, %59: tensor<2x64x1x8xbf16>) {
      %60:3 = stablehlo.custom_call @__cudnn$fmhaSoftmax(%57, %58, %59) {api_version = 2 : i32, backend_config = "{\22cudnn_fmha_backend_config\22:{\22algorithm\22:{\22algo_id\22:\220\22,\22is_cudnn_frontend\22:true,\22math_type\22:\22TENSOR_OP_MATH\22,\22tuning_knobs\22:{\2217\22:\221\22,\2224\22:\220\22},\22workspace_size\22:\220\22},\22bmm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\223\22],\22lhs_batch_dimensions\22:[\220\22,\222\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22dropout_rate\22:0,\22fmha_scale\22:0.35355339059327373,\22intermediate_tensor_shape\22:{\22dimensions\22:[\222\22,\222\22,\2264\22,\2264\22],\22element_type\22:\22BF16\22,\22is_dynamic_dimension\22:[false,false,false,false],\22layout\22:{\22dim_level_types\22:[],\22dim_ordered\22:[],\22dim_unique\22:[],\22dynamic_shape_metadata_prefix_bytes\22:\220\22,\22element_size_in_bits\22:\220\22,\22index_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22memory_space\22:\220\22,\22minor_to_major\22:[\223\22,\222\22,\221\22,\220\22],\22pointer_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22tiles\22:[]},\22tuple_shapes\22:[]},\22is_flash_attention\22:true,\22is_paged_attention\22:false,\22mask_type\22:\22CAUSAL\22,\22max_seg_per_batch\22:1,\22seed\22:42,\22sliding_window_length\22:0},\22operation_queue_id\22:\220\22}", operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>], result_layouts = [dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>, dense<0> : tensor<1xindex>]} : (tensor<2x64x2x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x64x1x8xbf16>) -> (tensor<2x2x64x8xbf16>, tensor<2x2x64xf32>, tensor<0xui8>)
      sdy.return %60#0, %60#1 : tensor<2x2x64x8xbf16>, tensor<2x2x64xf32>
    } : (tensor<4x64x2x8xbf16>, tensor<4x64x1x8xbf16>, tensor<4x64x1x8xbf16>) -> (tensor<4x2x64x8xbf16>, tensor<4x2x64xf32>)
    %61 = stablehlo.transpose %56#0, dims = [0, 2, 1, 3] : (tensor<4x2x64x8xbf16>) -> tensor<4x64x2x8xbf16>
    %62 = stablehlo.reshape %61 : (tensor<4x64x2x8xbf16>) -> tensor<256x16xbf16>
    %63 = stablehlo.convert %p5 : (tensor<16x16xf32>) -> tensor<16x16xbf16>
    %64 = sdy.sharding_constraint %63 <@mesh, [{}, {}]> : tensor<16x16xbf16>
    %65 = stablehlo.dot_general %62, %64, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<16x16xbf16>) -> tensor<256x16xbf16>
    %66 = stablehlo.convert %65 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %67 = stablehlo.add %4, %66 : tensor<256x16xf32>
    %68 = stablehlo.multiply %67, %67 : tensor<256x16xf32>
    %69 = stablehlo.constant dense<0.0> : tensor<f32>
    %70 = stablehlo.reduce(%68 init: %69) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %71 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %72 = stablehlo.divide %70, %71 : tensor<256xf32>
    %73 = stablehlo.constant dense<1.000000000e-05> : tensor<256xf32>
    %74 = stablehlo.add %72, %73 : tensor<256xf32>
    %75 = stablehlo.rsqrt %74 : tensor<256xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %77 = stablehlo.multiply %67, %76 : tensor<256x16xf32>
    %78 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %79 = stablehlo.multiply %77, %78 : tensor<256x16xf32>
    %80 = stablehlo.convert %79 : (tensor<256x16xf32>) -> tensor<256x16xbf16>
    %81 = stablehlo.convert %p7 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %82 = sdy.sharding_constraint %81 <@mesh, [{}, {}]> : tensor<8x16xbf16>
    %83 = stablehlo.dot_general %80, %82, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<8x16xbf16>) -> tensor<256x8xbf16>
    %84 = stablehlo.convert %p8 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %85 = sdy.sharding_constraint %84 <@mesh, [{}, {}]> : tensor<8x16xbf16>
    %86 = stablehlo.dot_general %80, %85, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<8x16xbf16>) -> tensor<256x8xbf16>
    %87 = stablehlo.convert %83 : (tensor<256x8xbf16>) -> tensor<256x8xf32>
    %88 = stablehlo.logistic %87 : tensor<256x8xf32>
    %89 = stablehlo.multiply %87, %88 : tensor<256x8xf32>
    %90 = stablehlo.convert %86 : (tensor<256x8xbf16>) -> tensor<256x8xf32>
    %91 = stablehlo.multiply %89, %90 : tensor<256x8xf32>
    %92 = stablehlo.convert %91 : (tensor<256x8xf32>) -> tensor<256x8xbf16>
    %93 = stablehlo.convert %p9 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %94 = sdy.sharding_constraint %93 <@mesh, [{}, {}]> : tensor<16x8xbf16>
    %95 = stablehlo.dot_general %92, %94, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<16x8xbf16>) -> tensor<256x16xbf16>
    %96 = stablehlo.convert %95 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %97 = stablehlo.add %67, %96 : tensor<256x16xf32>
    %98 = sdy.sharding_constraint %97 <@mesh, [{"x"}, {}]> : tensor<256x16xf32>
    %99 = stablehlo.reshape %98 : (tensor<256x16xf32>) -> tensor<4x64x16xf32>
    %100 = stablehlo.reshape %99 : (tensor<4x64x16xf32>) -> tensor<256x16xf32>
    %101 = stablehlo.reshape %targets : (tensor<4x64xi32>) -> tensor<256xi32>
    %102 = stablehlo.multiply %100, %100 : tensor<256x16xf32>
    %103 = stablehlo.constant dense<0.0> : tensor<f32>
    %104 = stablehlo.reduce(%102 init: %103) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %105 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %106 = stablehlo.divide %104, %105 : tensor<256xf32>
    %107 = stablehlo.constant dense<1.000000000e-05> : tensor<256xf32>
    %108 = stablehlo.add %106, %107 : tensor<256xf32>
    %109 = stablehlo.rsqrt %108 : tensor<256xf32>
    %110 = stablehlo.broadcast_in_dim %109, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %111 = stablehlo.multiply %100, %110 : tensor<256x16xf32>
    %112 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %113 = stablehlo.multiply %111, %112 : tensor<256x16xf32>
    %114 = stablehlo.convert %113 : (tensor<256x16xf32>) -> tensor<256x16xbf16>
    %115 = stablehlo.convert %p11 : (tensor<24x16xf32>) -> tensor<24x16xbf16>
    %116 = sdy.sharding_constraint %115 <@mesh, [{}, {}]> : tensor<24x16xbf16>
    %117 = stablehlo.dot_general %114, %116, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<24x16xbf16>) -> tensor<256x24xf32>
    %118 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %119 = stablehlo.reduce(%117 init: %118) applies stablehlo.maximum across dimensions = [1] : (tensor<256x24xf32>, tensor<f32>) -> tensor<256xf32>
    %120 = stablehlo.broadcast_in_dim %119, dims = [0] : (tensor<256xf32>) -> tensor<256x24xf32>
    %121 = stablehlo.subtract %117, %120 : tensor<256x24xf32>
    %122 = stablehlo.exponential %121 : tensor<256x24xf32>
    %123 = stablehlo.constant dense<0.0> : tensor<f32>
    %124 = stablehlo.reduce(%122 init: %123) applies stablehlo.add across dimensions = [1] : (tensor<256x24xf32>, tensor<f32>) -> tensor<256xf32>
    %125 = stablehlo.iota dim = 1 : tensor<256x24xi32>
    %126 = stablehlo.broadcast_in_dim %101, dims = [0] : (tensor<256xi32>) -> tensor<256x24xi32>
    %127 = stablehlo.compare EQ, %125, %126, SIGNED : (tensor<256x24xi32>, tensor<256x24xi32>) -> tensor<256x24xi1>
    %128 = stablehlo.constant dense<0.000000000e+00> : tensor<256x24xf32>
    %129 = stablehlo.select %127, %117, %128 : tensor<256x24xi1>, tensor<256x24xf32>
    %130 = stablehlo.constant dense<0.0> : tensor<f32>
    %131 = stablehlo.reduce(%129 init: %130) applies stablehlo.add across dimensions = [1] : (tensor<256x24xf32>, tensor<f32>) -> tensor<256xf32>
    %132 = stablehlo.constant dense<0> : tensor<256xi32>
    %133 = stablehlo.compare GE, %101, %132, SIGNED : (tensor<256xi32>, tensor<256xi32>) -> tensor<256xi1>
    %134 = stablehlo.log %124 : tensor<256xf32>
    %135 = stablehlo.add %134, %119 : tensor<256xf32>
    %136 = stablehlo.subtract %135, %131 : tensor<256xf32>
    %137 = stablehlo.constant dense<0.000000000e+00> : tensor<256xf32>
    %138 = stablehlo.select %133, %136, %137 : tensor<256xi1>, tensor<256xf32>
    %139 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<256xf32>
    %140 = stablehlo.constant dense<0.000000000e+00> : tensor<256xf32>
    %141 = stablehlo.select %133, %139, %140 : tensor<256xi1>, tensor<256xf32>
    %142 = stablehlo.broadcast_in_dim %124, dims = [0] : (tensor<256xf32>) -> tensor<256x24xf32>
    %143 = stablehlo.divide %122, %142 : tensor<256x24xf32>
    %144 = stablehlo.constant dense<1.000000000e+00> : tensor<256x24xf32>
    %145 = stablehlo.select %127, %144, %128 : tensor<256x24xi1>, tensor<256x24xf32>
    %146 = stablehlo.subtract %143, %145 : tensor<256x24xf32>
    %147 = stablehlo.broadcast_in_dim %141, dims = [0] : (tensor<256xf32>) -> tensor<256x24xf32>
    %148 = stablehlo.multiply %146, %147 : tensor<256x24xf32>
    %149 = stablehlo.convert %148 : (tensor<256x24xf32>) -> tensor<256x24xbf16>
    %150 = stablehlo.dot_general %149, %114, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x24xbf16>, tensor<256x16xbf16>) -> tensor<24x16xf32>
    %151 = stablehlo.add %g11, %150 : tensor<24x16xf32>
    %152 = stablehlo.dot_general %149, %116, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x24xbf16>, tensor<24x16xbf16>) -> tensor<256x16xbf16>
    %153 = stablehlo.convert %152 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %154 = stablehlo.broadcast_in_dim %109, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %155 = stablehlo.multiply %100, %154 : tensor<256x16xf32>
    %156 = stablehlo.multiply %153, %155 : tensor<256x16xf32>
    %157 = stablehlo.constant dense<0.0> : tensor<f32>
    %158 = stablehlo.reduce(%156 init: %157) applies stablehlo.add across dimensions = [0] : (tensor<256x16xf32>, tensor<f32>) -> tensor<16xf32>
    %159 = stablehlo.add %g10, %158 : tensor<16xf32>
    %160 = stablehlo.broadcast_in_dim %p10, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %161 = stablehlo.multiply %153, %160 : tensor<256x16xf32>
    %162 = stablehlo.multiply %161, %155 : tensor<256x16xf32>
    %163 = stablehlo.constant dense<0.0> : tensor<f32>
    %164 = stablehlo.reduce(%162 init: %163) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %165 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %166 = stablehlo.divide %164, %165 : tensor<256xf32>
    %167 = stablehlo.broadcast_in_dim %109, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %168 = stablehlo.broadcast_in_dim %166, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %169 = stablehlo.multiply %155, %168 : tensor<256x16xf32>
    %170 = stablehlo.subtract %161, %169 : tensor<256x16xf32>
    %171 = stablehlo.multiply %167, %170 : tensor<256x16xf32>
    %172 = stablehlo.reshape %138 : (tensor<256xf32>) -> tensor<4x64xf32>
    %173 = stablehlo.reshape %171 : (tensor<256x16xf32>) -> tensor<4x64x16xf32>
    %174 = stablehlo.reshape %173 : (tensor<4x64x16xf32>) -> tensor<256x16xf32>
    %175 = sdy.sharding_constraint %174 <@mesh, [{"x"}, {}]> : tensor<256x16xf32>
    %176 = stablehlo.convert %175 : (tensor<256x16xf32>) -> tensor<256x16xbf16>
    %177 = stablehlo.dot_general %176, %92, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<256x8xbf16>) -> tensor<16x8xf32>
    %178 = stablehlo.add %g9, %177 : tensor<16x8xf32>
    %179 = stablehlo.dot_general %176, %94, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<16x8xbf16>) -> tensor<256x8xbf16>
    %180 = stablehlo.convert %179 : (tensor<256x8xbf16>) -> tensor<256x8xf32>
    %181 = stablehlo.convert %83 : (tensor<256x8xbf16>) -> tensor<256x8xf32>
    %182 = stablehlo.convert %86 : (tensor<256x8xbf16>) -> tensor<256x8xf32>
    %183 = stablehlo.logistic %181 : tensor<256x8xf32>
    %184 = stablehlo.constant dense<1.000000000e+00> : tensor<256x8xf32>
    %185 = stablehlo.multiply %181, %183 : tensor<256x8xf32>
    %186 = stablehlo.multiply %180, %185 : tensor<256x8xf32>
    %187 = stablehlo.convert %186 : (tensor<256x8xf32>) -> tensor<256x8xbf16>
    %188 = stablehlo.multiply %180, %182 : tensor<256x8xf32>
    %189 = stablehlo.subtract %184, %183 : tensor<256x8xf32>
    %190 = stablehlo.multiply %181, %189 : tensor<256x8xf32>
    %191 = stablehlo.add %184, %190 : tensor<256x8xf32>
    %192 = stablehlo.multiply %183, %191 : tensor<256x8xf32>
    %193 = stablehlo.multiply %188, %192 : tensor<256x8xf32>
    %194 = stablehlo.convert %193 : (tensor<256x8xf32>) -> tensor<256x8xbf16>
    %195 = stablehlo.dot_general %194, %80, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<256x16xbf16>) -> tensor<8x16xf32>
    %196 = stablehlo.add %g7, %195 : tensor<8x16xf32>
    %197 = stablehlo.dot_general %187, %80, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<256x16xbf16>) -> tensor<8x16xf32>
    %198 = stablehlo.add %g8, %197 : tensor<8x16xf32>
    %199 = stablehlo.dot_general %194, %82, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<8x16xbf16>) -> tensor<256x16xbf16>
    %200 = stablehlo.convert %199 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %201 = stablehlo.dot_general %187, %85, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<8x16xbf16>) -> tensor<256x16xbf16>
    %202 = stablehlo.convert %201 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %203 = stablehlo.add %200, %202 : tensor<256x16xf32>
    %204 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %205 = stablehlo.multiply %67, %204 : tensor<256x16xf32>
    %206 = stablehlo.multiply %203, %205 : tensor<256x16xf32>
    %207 = stablehlo.constant dense<0.0> : tensor<f32>
    %208 = stablehlo.reduce(%206 init: %207) applies stablehlo.add across dimensions = [0] : (tensor<256x16xf32>, tensor<f32>) -> tensor<16xf32>
    %209 = stablehlo.add %g6, %208 : tensor<16xf32>
    %210 = stablehlo.broadcast_in_dim %p6, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %211 = stablehlo.multiply %203, %210 : tensor<256x16xf32>
    %212 = stablehlo.multiply %211, %205 : tensor<256x16xf32>
    %213 = stablehlo.constant dense<0.0> : tensor<f32>
    %214 = stablehlo.reduce(%212 init: %213) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %215 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %216 = stablehlo.divide %214, %215 : tensor<256xf32>
    %217 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %218 = stablehlo.broadcast_in_dim %216, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %219 = stablehlo.multiply %205, %218 : tensor<256x16xf32>
    %220 = stablehlo.subtract %211, %219 : tensor<256x16xf32>
    %221 = stablehlo.multiply %217, %220 : tensor<256x16xf32>
    %222 = stablehlo.add %175, %221 : tensor<256x16xf32>
    %223 = stablehlo.convert %222 : (tensor<256x16xf32>) -> tensor<256x16xbf16>
    %224 = stablehlo.reshape %61 : (tensor<4x64x2x8xbf16>) -> tensor<256x16xbf16>
    %225 = stablehlo.dot_general %223, %224, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<256x16xbf16>) -> tensor<16x16xf32>
    %226 = stablehlo.add %g5, %225 : tensor<16x16xf32>
    %227 = stablehlo.dot_general %223, %64, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<16x16xbf16>) -> tensor<256x16xbf16>
    %228 = stablehlo.reshape %227 : (tensor<256x16xbf16>) -> tensor<4x64x2x8xbf16>
    %229:3 = sdy.manual_computation(%34, %51, %55, %56#1, %228, %61) in_shardings=[<@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>] out_shardings=[<@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>, <@mesh, [{"x"}, {}, {}, {}]>] manual_axes={"x"} (%230: tensor<2x64x2x8xbf16>, %231: tensor<2x64x1x8xbf16>, %232: tensor<2x64x1x8xbf16>, %233: tensor<2x2x64xf32>, %234: tensor<2x64x2x8xbf16>, %235: tensor<2x64x2x8xbf16>) {
      %236:4 = stablehlo.custom_call @__cudnn$fmhaSoftmaxBackward(%230, %231, %232, %233, %234, %235) {api_version = 2 : i32, backend_config = "{\22cudnn_fmha_backend_config\22:{\22algorithm\22:{\22algo_id\22:\220\22,\22is_cudnn_frontend\22:true,\22math_type\22:\22TENSOR_OP_MATH\22,\22tuning_knobs\22:{\2217\22:\221\22,\2224\22:\220\22},\22workspace_size\22:\220\22},\22bmm1_grad_gemm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\222\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm1_grad_gemm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_grad_gemm1_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\222\22],\22rhs_contracting_dimensions\22:[\221\22],\22lhs_batch_dimensions\22:[\220\22,\221\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22bmm2_grad_gemm2_dot_dimension_numbers\22:{\22lhs_contracting_dimensions\22:[\223\22],\22rhs_contracting_dimensions\22:[\223\22],\22lhs_batch_dimensions\22:[\220\22,\222\22],\22rhs_batch_dimensions\22:[\220\22,\222\22]},\22dropout_rate\22:0,\22fmha_scale\22:0.35355339059327373,\22intermediate_tensor_shape\22:{\22dimensions\22:[\222\22,\222\22,\2264\22,\2264\22],\22element_type\22:\22BF16\22,\22is_dynamic_dimension\22:[false,false,false,false],\22layout\22:{\22dim_level_types\22:[],\22dim_ordered\22:[],\22dim_unique\22:[],\22dynamic_shape_metadata_prefix_bytes\22:\220\22,\22element_size_in_bits\22:\220\22,\22index_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22memory_space\22:\220\22,\22minor_to_major\22:[\223\22,\222\22,\221\22,\220\22],\22pointer_primitive_type\22:\22PRIMITIVE_TYPE_INVALID\22,\22tiles\22:[]},\22tuple_shapes\22:[]},\22is_flash_attention\22:true,\22is_paged_attention\22:false,\22mask_type\22:\22CAUSAL\22,\22max_seg_per_batch\22:1,\22seed\22:42,\22sliding_window_length\22:0},\22operation_queue_id\22:\220\22}", operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>], result_layouts = [dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<0> : tensor<1xindex>]} : (tensor<2x64x2x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x64x1x8xbf16>, tensor<2x2x64xf32>, tensor<2x64x2x8xbf16>, tensor<2x64x2x8xbf16>) -> (tensor<2x2x64x8xbf16>, tensor<2x1x64x8xbf16>, tensor<2x1x64x8xbf16>, tensor<0xui8>)
      sdy.return %236#0, %236#1, %236#2 : tensor<2x2x64x8xbf16>, tensor<2x1x64x8xbf16>, tensor<2x1x64x8xbf16>
    } : (tensor<4x64x2x8xbf16>, tensor<4x64x1x8xbf16>, tensor<4x64x1x8xbf16>, tensor<4x2x64xf32>, tensor<4x64x2x8xbf16>, tensor<4x64x2x8xbf16>) -> (tensor<4x2x64x8xbf16>, tensor<4x1x64x8xbf16>, tensor<4x1x64x8xbf16>)
    %237 = stablehlo.transpose %229#0, dims = [0, 2, 1, 3] : (tensor<4x2x64x8xbf16>) -> tensor<4x64x2x8xbf16>
    %238 = stablehlo.transpose %229#1, dims = [0, 2, 1, 3] : (tensor<4x1x64x8xbf16>) -> tensor<4x64x1x8xbf16>
    %239 = stablehlo.transpose %229#2, dims = [0, 2, 1, 3] : (tensor<4x1x64x8xbf16>) -> tensor<4x64x1x8xbf16>
    %240 = stablehlo.convert %237 : (tensor<4x64x2x8xbf16>) -> tensor<4x64x2x8xf32>
    %241 = stablehlo.slice %240 [0:4, 0:64, 0:2, 0:4] : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x4xf32>
    %242 = stablehlo.slice %240 [0:4, 0:64, 0:2, 4:8] : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x4xf32>
    %243 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x2x4xf32>
    %244 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x2x4xf32>
    %245 = stablehlo.negate %244 : tensor<4x64x2x4xf32>
    %246 = stablehlo.multiply %241, %243 : tensor<4x64x2x4xf32>
    %247 = stablehlo.multiply %242, %245 : tensor<4x64x2x4xf32>
    %248 = stablehlo.subtract %246, %247 : tensor<4x64x2x4xf32>
    %249 = stablehlo.multiply %242, %243 : tensor<4x64x2x4xf32>
    %250 = stablehlo.multiply %241, %245 : tensor<4x64x2x4xf32>
    %251 = stablehlo.add %249, %250 : tensor<4x64x2x4xf32>
    %252 = stablehlo.concatenate %248, %251, dim = 3 : (tensor<4x64x2x4xf32>, tensor<4x64x2x4xf32>) -> tensor<4x64x2x8xf32>
    %253 = stablehlo.convert %252 : (tensor<4x64x2x8xf32>) -> tensor<4x64x2x8xbf16>
    %254 = stablehlo.reshape %253 : (tensor<4x64x2x8xbf16>) -> tensor<256x16xbf16>
    %255 = stablehlo.convert %238 : (tensor<4x64x1x8xbf16>) -> tensor<4x64x1x8xf32>
    %256 = stablehlo.slice %255 [0:4, 0:64, 0:1, 0:4] : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x4xf32>
    %257 = stablehlo.slice %255 [0:4, 0:64, 0:1, 4:8] : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x4xf32>
    %258 = stablehlo.broadcast_in_dim %cos, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x1x4xf32>
    %259 = stablehlo.broadcast_in_dim %sin, dims = [1, 3] : (tensor<64x4xf32>) -> tensor<4x64x1x4xf32>
    %260 = stablehlo.negate %259 : tensor<4x64x1x4xf32>
    %261 = stablehlo.multiply %256, %258 : tensor<4x64x1x4xf32>
    %262 = stablehlo.multiply %257, %260 : tensor<4x64x1x4xf32>
    %263 = stablehlo.subtract %261, %262 : tensor<4x64x1x4xf32>
    %264 = stablehlo.multiply %257, %258 : tensor<4x64x1x4xf32>
    %265 = stablehlo.multiply %256, %260 : tensor<4x64x1x4xf32>
    %266 = stablehlo.add %264, %265 : tensor<4x64x1x4xf32>
    %267 = stablehlo.concatenate %263, %266, dim = 3 : (tensor<4x64x1x4xf32>, tensor<4x64x1x4xf32>) -> tensor<4x64x1x8xf32>
    %268 = stablehlo.convert %267 : (tensor<4x64x1x8xf32>) -> tensor<4x64x1x8xbf16>
    %269 = stablehlo.reshape %268 : (tensor<4x64x1x8xbf16>) -> tensor<256x8xbf16>
    %270 = stablehlo.reshape %239 : (tensor<4x64x1x8xbf16>) -> tensor<256x8xbf16>
    %271 = stablehlo.dot_general %254, %17, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<256x16xbf16>) -> tensor<16x16xf32>
    %272 = stablehlo.add %g2, %271 : tensor<16x16xf32>
    %273 = stablehlo.dot_general %254, %19, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x16xbf16>, tensor<16x16xbf16>) -> tensor<256x16xbf16>
    %274 = stablehlo.convert %273 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %275 = stablehlo.dot_general %269, %17, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<256x16xbf16>) -> tensor<8x16xf32>
    %276 = stablehlo.add %g3, %275 : tensor<8x16xf32>
    %277 = stablehlo.dot_general %269, %36, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<8x16xbf16>) -> tensor<256x16xbf16>
    %278 = stablehlo.convert %277 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %279 = stablehlo.add %274, %278 : tensor<256x16xf32>
    %280 = stablehlo.dot_general %270, %17, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<256x16xbf16>) -> tensor<8x16xf32>
    %281 = stablehlo.add %g4, %280 : tensor<8x16xf32>
    %282 = stablehlo.dot_general %270, %53, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<256x8xbf16>, tensor<8x16xbf16>) -> tensor<256x16xbf16>
    %283 = stablehlo.convert %282 : (tensor<256x16xbf16>) -> tensor<256x16xf32>
    %284 = stablehlo.add %279, %283 : tensor<256x16xf32>
    %285 = stablehlo.broadcast_in_dim %12, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %286 = stablehlo.multiply %4, %285 : tensor<256x16xf32>
    %287 = stablehlo.multiply %284, %286 : tensor<256x16xf32>
    %288 = stablehlo.constant dense<0.0> : tensor<f32>
    %289 = stablehlo.reduce(%287 init: %288) applies stablehlo.add across dimensions = [0] : (tensor<256x16xf32>, tensor<f32>) -> tensor<16xf32>
    %290 = stablehlo.add %g1, %289 : tensor<16xf32>
    %291 = stablehlo.broadcast_in_dim %p1, dims = [1] : (tensor<16xf32>) -> tensor<256x16xf32>
    %292 = stablehlo.multiply %284, %291 : tensor<256x16xf32>
    %293 = stablehlo.multiply %292, %286 : tensor<256x16xf32>
    %294 = stablehlo.constant dense<0.0> : tensor<f32>
    %295 = stablehlo.reduce(%293 init: %294) applies stablehlo.add across dimensions = [1] : (tensor<256x16xf32>, tensor<f32>) -> tensor<256xf32>
    %296 = stablehlo.constant dense<1.600000000e+01> : tensor<256xf32>
    %297 = stablehlo.divide %295, %296 : tensor<256xf32>
    %298 = stablehlo.broadcast_in_dim %12, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %299 = stablehlo.broadcast_in_dim %297, dims = [0] : (tensor<256xf32>) -> tensor<256x16xf32>
    %300 = stablehlo.multiply %286, %299 : tensor<256x16xf32>
    %301 = stablehlo.subtract %292, %300 : tensor<256x16xf32>
    %302 = stablehlo.multiply %298, %301 : tensor<256x16xf32>
    %303 = stablehlo.add %222, %302 : tensor<256x16xf32>
    %304 = sdy.sharding_constraint %303 <@mesh, [{"x"}, {}]> : tensor<256x16xf32>
    %305 = stablehlo.reshape %0 : (tensor<256xi32>) -> tensor<256x1xi32>
    %306 = "stablehlo.scatter"(%g0, %305, %304) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
    ^bb0(%p: tensor<f32>, %q: tensor<f32>):
      %s = stablehlo.add %p, %q : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<24x16xf32>, tensor<256x1xi32>, tensor<256x16xf32>) -> tensor<24x16xf32>
    return %172, %306, %290, %272, %276, %281, %226, %209, %196, %198, %178, %159, %151 : tensor<4x64xf32>, tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
