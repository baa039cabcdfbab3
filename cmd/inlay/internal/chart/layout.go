package chart

import (
	"cmp"
	"slices"
)

// layout is where everything of a picture is. Boxes stand in layers, each below
// all that lead to it. An edge that passes a layer has a place of its own there,
// as a box would have, so that no edge crosses a box.
//
// It is the method of Sugiyama, Tagawa and Toda (1981): layers, order within
// them by barycentres, and then places.
type layout struct {
	layers [][]*cell
	ends   []int   // where each layer ends, from which on edges have the room to themselves
	boxes  []*cell // by index
	edges  []edge
	width  int
	height int
}

// cell is a box, or where an edge passes a layer.
type cell struct {
	box           int // -1 for what is no box
	layer         int
	width, height int
	x, y          int // the middle, and the top
	above, below  []*cell
	order         float64 // what it is sorted by
}

// edge leads from a box to a box, through cells. The first cell is that of the
// box, or of another edge of the same box that this one parts from.
type edge struct {
	from, to int
	cells    []*cell
}

// Distances, in pixels.
const (
	margin   = 24 // around the picture
	between  = 28 // between cells of a layer
	descent  = 44 // from layer to layer, which edges have to themselves
	sweeps   = 8  // enough for what has a good order to find it
	laneSize = 6  // the width of an edge
)

// arrange lays out boxes of the sizes that size gives.
func arrange(g Graph, size func(int) (width, height int)) *layout {
	l := &layout{boxes: make([]*cell, len(g.Boxes))}
	layer := layers(g)
	for i := range g.Boxes {
		w, h := size(i)
		l.add(&cell{box: i, layer: layer[i], width: w, height: h})
	}
	l.connect(g)
	l.sort()
	l.place()
	return l
}

// layers gives each box its layer: above all that it leads to, and as near to
// them as can be.
func layers(g Graph) []int {
	layer := make([]int, len(g.Boxes))
	for i := range g.Boxes {
		for _, in := range g.inputs(i) {
			layer[i] = max(layer[i], layer[in]+1)
		}
	}
	nearest := make([]int, len(g.Boxes))
	for i := range nearest {
		nearest[i] = -1
	}
	for i := len(g.Boxes) - 1; i >= 0; i-- {
		if nearest[i] >= 0 {
			layer[i] = nearest[i]
		}
		for _, in := range g.inputs(i) {
			if at := layer[i] - 1; nearest[in] < 0 || at < nearest[in] {
				nearest[in] = at
			}
		}
	}
	return layer
}

func (l *layout) add(c *cell) {
	for len(l.layers) <= c.layer {
		l.layers = append(l.layers, nil)
	}
	l.layers[c.layer] = append(l.layers[c.layer], c)
	if c.box >= 0 {
		l.boxes[c.box] = c
	}
}

// connect makes the edges. Edges from one box go together for as long as they
// can, so that a box that many need does not fill the picture: those that come
// later begin where they part from the ones before.
func (l *layout) connect(g Graph) {
	lanes := make([][]*cell, len(g.Boxes)) // of the edges from each box, from layer to layer
	for i := range g.Boxes {
		for _, in := range g.inputs(i) {
			from, to := l.boxes[in], l.boxes[i]
			passes := to.layer - from.layer - 1
			e := edge{from: in, to: i, cells: []*cell{from}}
			if n := min(passes, len(lanes[in])); n > 0 {
				e.cells[0] = lanes[in][n-1]
			}
			for len(lanes[in]) < passes {
				c := &cell{box: -1, layer: from.layer + 1 + len(lanes[in]), width: laneSize}
				lanes[in] = append(lanes[in], c)
				l.add(c)
				e.lead(c)
			}
			e.lead(to)
			l.edges = append(l.edges, e)
		}
	}
}

// lead leads an edge to one more cell.
func (e *edge) lead(c *cell) {
	last := e.cells[len(e.cells)-1]
	last.below = append(last.below, c)
	c.above = append(c.above, last)
	e.cells = append(e.cells, c)
}

// sort orders each layer so that edges cross little: every cell goes to the
// middle of those that it is joined with, again and again.
func (l *layout) sort() {
	for range sweeps {
		for _, row := range l.layers {
			reorder(row, func(c *cell) []*cell { return c.above })
		}
		for _, row := range slices.Backward(l.layers) {
			reorder(row, func(c *cell) []*cell { return c.below })
		}
	}
}

func reorder(row []*cell, near func(*cell) []*cell) {
	for i, c := range row {
		c.order = mean(near(c), float64(i), func(n *cell) float64 { return n.order })
	}
	slices.SortStableFunc(row, func(a, b *cell) int { return cmp.Compare(a.order, b.order) })
	for i, c := range row {
		c.order = float64(i)
	}
}

// mean is that of f over cells, or otherwise if there are none.
func mean(cells []*cell, otherwise float64, f func(*cell) float64) float64 {
	if len(cells) == 0 {
		return otherwise
	}
	var sum float64
	for _, c := range cells {
		sum += f(c)
	}
	return sum / float64(len(cells))
}

// place gives all cells their places.
func (l *layout) place() {
	y := margin
	for _, row := range l.layers {
		tallest := 0
		for _, c := range row {
			c.y = y
			tallest = max(tallest, c.height)
		}
		for _, c := range row {
			if c.box < 0 {
				c.height = tallest
			}
		}
		l.ends = append(l.ends, y+tallest)
		y += tallest + descent
		pull(row, func(*cell) []*cell { return nil })
	}
	l.height = y - descent + margin
	for range sweeps {
		for _, row := range l.layers {
			pull(row, func(c *cell) []*cell { return c.above })
		}
		for _, row := range slices.Backward(l.layers) {
			pull(row, func(c *cell) []*cell { return c.below })
		}
	}
	left, right := 0, 0
	for i, c := range slices.Concat(l.layers...) {
		if i == 0 {
			left, right = c.x-c.width/2, c.x+c.width/2
		}
		left, right = min(left, c.x-c.width/2), max(right, c.x+c.width/2)
	}
	for _, c := range slices.Concat(l.layers...) {
		c.x += margin - left
	}
	l.width = right - left + 2*margin
}

// pull moves the cells of a layer as near as can be to the middle of those that
// they are joined with, in their order and without touching: the least squares
// under that condition, found by pooling neighbours that want to pass each other.
func pull(row []*cell, near func(*cell) []*cell) {
	type pool struct {
		sum   float64
		count int
	}
	var pools []pool
	offset := make([]int, len(row)) // of each cell to the first, when they are packed
	for i, c := range row {
		if i > 0 {
			offset[i] = offset[i-1] + (row[i-1].width+c.width+1)/2 + between
		}
		want := mean(near(c), float64(c.x), func(n *cell) float64 { return float64(n.x) })
		p := pool{want - float64(offset[i]), 1}
		for len(pools) > 0 {
			last := pools[len(pools)-1]
			if last.sum/float64(last.count) <= p.sum/float64(p.count) {
				break
			}
			p = pool{p.sum + last.sum, p.count + last.count}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			row[i].x = int(p.sum/float64(p.count)) + offset[i]
			i++
		}
	}
}
