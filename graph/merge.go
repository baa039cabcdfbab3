package graph

// Merge lays its inputs over one another, later ones over earlier ones. An
// input that is a [Diff] is applied.
type Merge struct{}

// Diff is the change set that makes its second input of its first.
type Diff struct{}

// Name gives "with-merged".
func (Merge) Name() string { return "with-merged" }

// Name gives "diff".
func (Diff) Name() string { return "diff" }

// Check never fails.
func (Merge) Check() error { return nil }

// Check never fails.
func (Diff) Check() error { return nil }

func (Merge) op() {}
func (Diff) op()  {}
