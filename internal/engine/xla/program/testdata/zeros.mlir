module @zeros {
  func.func public @main() -> (tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>) {
    %0 = stablehlo.constant dense<0.000000000e+00> : tensor<24x16xf32>
    %1 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %2 = stablehlo.constant dense<0.000000000e+00> : tensor<16x16xf32>
    %3 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %4 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %5 = stablehlo.constant dense<0.000000000e+00> : tensor<16x16xf32>
    %6 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %7 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %8 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %9 = stablehlo.constant dense<0.000000000e+00> : tensor<16x8xf32>
    %10 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %11 = stablehlo.constant dense<0.000000000e+00> : tensor<24x16xf32>
    return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11 : tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
