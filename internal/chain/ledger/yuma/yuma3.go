package yuma

// LiquidAlpha makes the rate at which Yuma3 bonds follow a weight depend on how far
// the weight is from consensus, between Low and High.
type LiquidAlpha struct {
	Low, High uint16 // share of 65535
	Steepness uint16 // of the sigmoid, in hundredths
}

// yuma3 returns the bonds and dividends of Yuma3: bonds follow weights, not
// stake-weighted bonds, and stake counts in the dividends instead.
func (in *Input) yuma3(weights matrix, agreed, voting, incentive []fixed, keep fixed) (bonds matrix, dividends []fixed) {
	old := in.kept(proportion)
	if in.LiquidAlpha != nil && sum(agreed) != 0 {
		bonds = liquid(old, weights, agreed, *in.LiquidAlpha)
	} else {
		bonds = blended(old, weights, one-keep)
	}
	dividends = bonds.colNormalized().times(incentive)
	for i, s := range voting {
		dividends[i] = mul(s, dividends[i])
	}
	return bonds, normalized(dividends, sum(dividends))
}

// liquid is the moving average of weights with a rate of its own for each cell. A bond
// without a weight beside it is dropped, not decayed, as the original does.
func liquid(old, weights matrix, agreed []fixed, p LiquidAlpha) matrix {
	low, high, steepness := proportion(p.Low), proportion(p.High), div(integer(p.Steepness), -integer(100))
	dense := make([]fixed, len(old))
	row := -1
	return weights.mapped(func(i int, c cell) (fixed, bool) {
		if i != row {
			row = i
			clear(dense)
			for _, b := range old[i] {
				dense[b.col] = b.v
			}
		}
		bond := dense[c.col]
		apart := bond - c.v
		if c.v >= bond {
			apart = c.v - agreed[c.col]
		}
		apart = min(max(apart, 0), one)
		bend := div(one, add(one, exp(mul(steepness, apart-one/2))))
		a := min(max(add(low, mul(bend, high-low)), low), high)
		v := min(add(mul(a, c.v), mul(one-a, bond)), one)
		return v, v > 0
	})
}

// exp is e^x for |x| up to 20, beyond which it is as at 20: the Taylor terms up to the
// 31st, of -x for negative x. The number of terms shows in the last bits.
func exp(x fixed) fixed {
	limit := integer(20)
	x = min(max(x, -limit), limit)
	z := fixed(abs(x))
	result, term := add(one, z), z
	for i := range uint16(30) {
		term = div(mul(term, z), integer(i+2))
		result = add(result, term)
	}
	if x < 0 {
		return div(one, result)
	}
	return result
}
