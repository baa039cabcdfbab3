package pipeline

import "slices"

// nearest gives the name that a mistyped one was most likely meant to be; "" if
// there is none near.
func nearest(typed string, names []string) string {
	if len(typed) > 64 {
		return ""
	}
	best, bound := "", max(1, len(typed)/3)+1
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(typed, n); d < bound {
			best, bound = n, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				d++
			}
			d = min(d, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
