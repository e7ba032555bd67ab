module @norm {
  func.func public @main(%g0: tensor<24x16xf32>, %g1: tensor<16xf32>, %g2: tensor<16x16xf32>, %g3: tensor<8x16xf32>, %g4: tensor<8x16xf32>, %g5: tensor<16x16xf32>, %g6: tensor<16xf32>, %g7: tensor<8x16xf32>, %g8: tensor<8x16xf32>, %g9: tensor<16x8xf32>, %g10: tensor<16xf32>, %g11: tensor<24x16xf32>) -> (tensor<f64>) {
    %0 = stablehlo.constant dense<0.0> : tensor<f64>
    %1 = stablehlo.convert %g0 : (tensor<24x16xf32>) -> tensor<24x16xf64>
    %2 = stablehlo.multiply %1, %1 : tensor<24x16xf64>
    %3 = stablehlo.constant dense<0.0> : tensor<f64>
    %4 = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [1] : (tensor<24x16xf64>, tensor<f64>) -> tensor<24xf64>
    %5 = stablehlo.constant dense<0.0> : tensor<f64>
    %6 = stablehlo.reduce(%4 init: %5) applies stablehlo.add across dimensions = [0] : (tensor<24xf64>, tensor<f64>) -> tensor<f64>
    %7 = stablehlo.add %0, %6 : tensor<f64>
    %8 = stablehlo.convert %g1 : (tensor<16xf32>) -> tensor<16xf64>
    %9 = stablehlo.multiply %8, %8 : tensor<16xf64>
    %10 = stablehlo.constant dense<0.0> : tensor<f64>
    %11 = stablehlo.reduce(%9 init: %10) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %12 = stablehlo.add %7, %11 : tensor<f64>
    %13 = stablehlo.convert %g2 : (tensor<16x16xf32>) -> tensor<16x16xf64>
    %14 = stablehlo.multiply %13, %13 : tensor<16x16xf64>
    %15 = stablehlo.constant dense<0.0> : tensor<f64>
    %16 = stablehlo.reduce(%14 init: %15) applies stablehlo.add across dimensions = [1] : (tensor<16x16xf64>, tensor<f64>) -> tensor<16xf64>
    %17 = stablehlo.constant dense<0.0> : tensor<f64>
    %18 = stablehlo.reduce(%16 init: %17) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %19 = stablehlo.add %12, %18 : tensor<f64>
    %20 = stablehlo.convert %g3 : (tensor<8x16xf32>) -> tensor<8x16xf64>
    %21 = stablehlo.multiply %20, %20 : tensor<8x16xf64>
    %22 = stablehlo.constant dense<0.0> : tensor<f64>
    %23 = stablehlo.reduce(%21 init: %22) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf64>, tensor<f64>) -> tensor<8xf64>
    %24 = stablehlo.constant dense<0.0> : tensor<f64>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [0] : (tensor<8xf64>, tensor<f64>) -> tensor<f64>
    %26 = stablehlo.add %19, %25 : tensor<f64>
    %27 = stablehlo.convert %g4 : (tensor<8x16xf32>) -> tensor<8x16xf64>
    %28 = stablehlo.multiply %27, %27 : tensor<8x16xf64>
    %29 = stablehlo.constant dense<0.0> : tensor<f64>
    %30 = stablehlo.reduce(%28 init: %29) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf64>, tensor<f64>) -> tensor<8xf64>
    %31 = stablehlo.constant dense<0.0> : tensor<f64>
    %32 = stablehlo.reduce(%30 init: %31) applies stablehlo.add across dimensions = [0] : (tensor<8xf64>, tensor<f64>) -> tensor<f64>
    %33 = stablehlo.add %26, %32 : tensor<f64>
    %34 = stablehlo.convert %g5 : (tensor<16x16xf32>) -> tensor<16x16xf64>
    %35 = stablehlo.multiply %34, %34 : tensor<16x16xf64>
    %36 = stablehlo.constant dense<0.0> : tensor<f64>
    %37 = stablehlo.reduce(%35 init: %36) applies stablehlo.add across dimensions = [1] : (tensor<16x16xf64>, tensor<f64>) -> tensor<16xf64>
    %38 = stablehlo.constant dense<0.0> : tensor<f64>
    %39 = stablehlo.reduce(%37 init: %38) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %40 = stablehlo.add %33, %39 : tensor<f64>
    %41 = stablehlo.convert %g6 : (tensor<16xf32>) -> tensor<16xf64>
    %42 = stablehlo.multiply %41, %41 : tensor<16xf64>
    %43 = stablehlo.constant dense<0.0> : tensor<f64>
    %44 = stablehlo.reduce(%42 init: %43) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %45 = stablehlo.add %40, %44 : tensor<f64>
    %46 = stablehlo.convert %g7 : (tensor<8x16xf32>) -> tensor<8x16xf64>
    %47 = stablehlo.multiply %46, %46 : tensor<8x16xf64>
    %48 = stablehlo.constant dense<0.0> : tensor<f64>
    %49 = stablehlo.reduce(%47 init: %48) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf64>, tensor<f64>) -> tensor<8xf64>
    %50 = stablehlo.constant dense<0.0> : tensor<f64>
    %51 = stablehlo.reduce(%49 init: %50) applies stablehlo.add across dimensions = [0] : (tensor<8xf64>, tensor<f64>) -> tensor<f64>
    %52 = stablehlo.add %45, %51 : tensor<f64>
    %53 = stablehlo.convert %g8 : (tensor<8x16xf32>) -> tensor<8x16xf64>
    %54 = stablehlo.multiply %53, %53 : tensor<8x16xf64>
    %55 = stablehlo.constant dense<0.0> : tensor<f64>
    %56 = stablehlo.reduce(%54 init: %55) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf64>, tensor<f64>) -> tensor<8xf64>
    %57 = stablehlo.constant dense<0.0> : tensor<f64>
    %58 = stablehlo.reduce(%56 init: %57) applies stablehlo.add across dimensions = [0] : (tensor<8xf64>, tensor<f64>) -> tensor<f64>
    %59 = stablehlo.add %52, %58 : tensor<f64>
    %60 = stablehlo.convert %g9 : (tensor<16x8xf32>) -> tensor<16x8xf64>
    %61 = stablehlo.multiply %60, %60 : tensor<16x8xf64>
    %62 = stablehlo.constant dense<0.0> : tensor<f64>
    %63 = stablehlo.reduce(%61 init: %62) applies stablehlo.add across dimensions = [1] : (tensor<16x8xf64>, tensor<f64>) -> tensor<16xf64>
    %64 = stablehlo.constant dense<0.0> : tensor<f64>
    %65 = stablehlo.reduce(%63 init: %64) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %66 = stablehlo.add %59, %65 : tensor<f64>
    %67 = stablehlo.convert %g10 : (tensor<16xf32>) -> tensor<16xf64>
    %68 = stablehlo.multiply %67, %67 : tensor<16xf64>
    %69 = stablehlo.constant dense<0.0> : tensor<f64>
    %70 = stablehlo.reduce(%68 init: %69) applies stablehlo.add across dimensions = [0] : (tensor<16xf64>, tensor<f64>) -> tensor<f64>
    %71 = stablehlo.add %66, %70 : tensor<f64>
    %72 = stablehlo.convert %g11 : (tensor<24x16xf32>) -> tensor<24x16xf64>
    %73 = stablehlo.multiply %72, %72 : tensor<24x16xf64>
    %74 = stablehlo.constant dense<0.0> : tensor<f64>
    %75 = stablehlo.reduce(%73 init: %74) applies stablehlo.add across dimensions = [1] : (tensor<24x16xf64>, tensor<f64>) -> tensor<24xf64>
    %76 = stablehlo.constant dense<0.0> : tensor<f64>
    %77 = stablehlo.reduce(%75 init: %76) applies stablehlo.add across dimensions = [0] : (tensor<24xf64>, tensor<f64>) -> tensor<f64>
    %78 = stablehlo.add %71, %77 : tensor<f64>
    return %78 : tensor<f64>
  }
}
