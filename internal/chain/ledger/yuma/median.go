package yuma

// consensus returns, for each column, the highest weight that at least kappa of the
// active stake supports: the stake-weighted median.
func consensus(w matrix, stake []fixed, kappa fixed) []fixed {
	var rows []int
	var held []fixed
	for i, s := range stake {
		if s > 0 {
			rows, held = append(rows, i), append(held, s)
		}
	}
	held = normalized(held, sum(held))
	total := sum(held)
	columns := make([][]fixed, len(w))
	for j := range columns {
		columns[j] = make([]fixed, len(rows))
	}
	for r, i := range rows {
		for _, c := range w[i] {
			columns[c.col][r] = c.v
		}
	}
	all := make([]int, len(rows))
	for r := range all {
		all[r] = r
	}
	out := make([]fixed, len(w))
	for j, score := range columns {
		out[j] = weightedMedian(held, score, all, total-kappa, 0, total)
	}
	return out
}

// weightedMedian searches rows by partition around a pivot; lo and hi bound the stake
// below and up to the rows at hand. The pivot is the middle row as given, not a
// better-chosen one: on ties the choice shows in the result.
func weightedMedian(stake, score []fixed, rows []int, minority, lo, hi fixed) fixed {
	for len(rows) > 1 {
		pivot := score[rows[len(rows)/2]]
		var below, above []int
		var belowStake, aboveStake fixed
		for _, r := range rows {
			switch s := score[r]; {
			case s < pivot:
				below, belowStake = append(below, r), add(belowStake, stake[r])
			case s > pivot:
				above, aboveStake = append(above, r), add(aboveStake, stake[r])
			}
		}
		switch {
		case minority < lo+belowStake && len(below) > 0:
			rows, hi = below, lo+belowStake
		case hi-aboveStake <= minority && len(above) > 0:
			rows, lo = above, hi-aboveStake
		default:
			return pivot
		}
	}
	if len(rows) == 0 {
		return 0
	}
	return score[rows[0]]
}
