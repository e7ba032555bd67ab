module @copy {
  func.func public @main(%v0: tensor<24x16xf32>, %v1: tensor<16xf32>, %v2: tensor<16x16xf32>, %v3: tensor<8x16xf32>, %v4: tensor<8x16xf32>, %v5: tensor<16x16xf32>, %v6: tensor<16xf32>, %v7: tensor<8x16xf32>, %v8: tensor<8x16xf32>, %v9: tensor<16x8xf32>, %v10: tensor<16xf32>, %v11: tensor<24x16xf32>) -> (tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>) {
    return %v0, %v1, %v2, %v3, %v4, %v5, %v6, %v7, %v8, %v9, %v10, %v11 : tensor<24x16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, tensor<16xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<16xf32>, tensor<24x16xf32>
  }
}
