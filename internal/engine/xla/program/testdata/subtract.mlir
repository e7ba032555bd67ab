module @subtract attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%p0: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p1: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p2: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p3: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p4: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p5: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p6: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p7: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p8: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p9: tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %p10: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %p11: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d0: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d1: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %d2: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d3: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d4: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d5: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d6: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %d7: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d8: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d9: tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %d10: tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, %d11: tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}) -> (tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, tensor<16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}, tensor<24x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}) {
    %0 = stablehlo.constant dense<0.000000000e+00> : tensor<24x16xf32>
    %1 = stablehlo.compare EQ, %d0, %0, FLOAT : (tensor<24x16xf32>, tensor<24x16xf32>) -> tensor<24x16xi1>
    %2 = stablehlo.subtract %p0, %d0 : tensor<24x16xf32>
    %3 = stablehlo.select %1, %p0, %2 : tensor<24x16xi1>, tensor<24x16xf32>
    %4 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %5 = stablehlo.compare EQ, %d1, %4, FLOAT : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xi1>
    %6 = stablehlo.subtract %p1, %d1 : tensor<16xf32>
    %7 = stablehlo.select %5, %p1, %6 : tensor<16xi1>, tensor<16xf32>
    %8 = stablehlo.constant dense<0.000000000e+00> : tensor<16x16xf32>
    %9 = stablehlo.compare EQ, %d2, %8, FLOAT : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xi1>
    %10 = stablehlo.subtract %p2, %d2 : tensor<16x16xf32>
    %11 = stablehlo.select %9, %p2, %10 : tensor<16x16xi1>, tensor<16x16xf32>
    %12 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %13 = stablehlo.compare EQ, %d3, %12, FLOAT : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x16xi1>
    %14 = stablehlo.subtract %p3, %d3 : tensor<8x16xf32>
    %15 = stablehlo.select %13, %p3, %14 : tensor<8x16xi1>, tensor<8x16xf32>
    %16 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %17 = stablehlo.compare EQ, %d4, %16, FLOAT : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x16xi1>
    %18 = stablehlo.subtract %p4, %d4 : tensor<8x16xf32>
    %19 = stablehlo.select %17, %p4, %18 : tensor<8x16xi1>, tensor<8x16xf32>
    %20 = stablehlo.constant dense<0.000000000e+00> : tensor<16x16xf32>
    %21 = stablehlo.compare EQ, %d5, %20, FLOAT : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xi1>
    %22 = stablehlo.subtract %p5, %d5 : tensor<16x16xf32>
    %23 = stablehlo.select %21, %p5, %22 : tensor<16x16xi1>, tensor<16x16xf32>
    %24 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %25 = stablehlo.compare EQ, %d6, %24, FLOAT : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xi1>
    %26 = stablehlo.subtract %p6, %d6 : tensor<16xf32>
    %27 = stablehlo.select %25, %p6, %26 : tensor<16xi1>, tensor<16xf32>
    %28 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %29 = stablehlo.compare EQ, %d7, %28, FLOAT : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x16xi1>
    %30 = stablehlo.subtract %p7, %d7 : tensor<8x16xf32>
    %31 = stablehlo.select %29, %p7, %30 : tensor<8x16xi1>, tensor<8x16xf32>
    %32 = stablehlo.constant dense<0.000000000e+00> : tensor<8x16xf32>
    %33 = stablehlo.compare EQ, %d8, %32, FLOAT : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x16xi1>
    %34 = stablehlo.subtract %p8, %d8 : tensor<8x16xf32>
    %35 = stablehlo.select %33, %p8, %34 : tensor<8x16xi1>, tensor<8x16xf32>
    %36 = stablehlo.constant dense<0.000000000e+00> : tensor<16x8xf32>
    %37 = stablehlo.compare EQ, %d9, %36, FLOAT : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xi1>
    %38 = stablehlo.subtract %p9, %d9 : tensor<16x8xf32>
    %39 = stablehlo.select %37, %p9, %38 : tensor<16x8xi1>, tensor<16x8xf32>
    %40 = stablehlo.constant dense<0.000000000e+00> : tensor<16xf32>
    %41 = stablehlo.compare EQ, %d10, %40, FLOAT : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xi1>
    %42 = stablehlo.subtract %p10, %d10 : tensor<16xf32>
    %43 = stablehlo.select %41, %p10, %42 : tensor<16xi1>, tensor<16xf32>
    %44 = stablehlo.constant dense<0.000000000e+00> : tensor<24x16xf32>
    %45 = stablehlo.compare EQ, %d11, %44, FLOAT : (tensor<24x16xf32>, tensor<24x16xf32>) -> tensor<24x16xi1>
    %46 = stablehlo.subtract %p11, %d11 : tensor<24x16xf32>
    %47 = stablehlo.select %45, %p11, %46 : tensor<24x16xi1>, tensor<24x16xf32>
    return %3, %7, %11, %15, %19, %23, %27, %31, %35, %39, %43, %47 : tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
