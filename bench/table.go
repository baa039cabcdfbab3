package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// table is written line by line, as measurements end.
type table struct{ w io.Writer }

func newTable(w io.Writer) *table {
	t := &table{w}
	t.row("what", "median", "least", "most", "cpu", "memory", "beside")
	return t
}

func (t *table) row(what string, columns ...string) {
	fmt.Fprintf(t.w, "%-46s", what)
	for _, c := range columns {
		fmt.Fprintf(t.w, " %10s", c)
	}
	fmt.Fprintln(t.w)
}

// add writes the line of sorted samples, and gives their median. beside, if not
// zero, is what the median is compared with.
func (t *table) add(what string, all []sample, beside time.Duration) time.Duration {
	m := all[len(all)/2]
	ratio := ""
	if beside > 0 {
		ratio = fmt.Sprintf("x%.2f", float64(m.wall)/float64(beside))
	}
	most := all[0].memory
	for _, s := range all {
		most = max(most, s.memory)
	}
	t.row(what, milli(m.wall), milli(all[0].wall), milli(all[len(all)-1].wall), milli(m.cpu), mebi(most), ratio)
	return m.wall
}

func milli(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64) + " ms"
}

func mebi(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n>>20, 10) + " MiB"
}

// parseSize reads "512MiB", "10GiB" or bytes.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, n
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<40/unit {
		return 0, fmt.Errorf("%q is no size: want a number with KiB, MiB or GiB", s)
	}
	return n * unit, nil
}
