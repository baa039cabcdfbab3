package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// composed gives the tree of a stack: each layer's tar read, and applied to the
// tree below it.
func composed(ctx context.Context, s treetest.Stack) (treetest.Listing, error) {
	t := tree.Empty()
	for n, l := range s {
		b, err := l.Tar()
		if err != nil {
			return nil, err
		}
		cs, _, err := layer.Read(ctx, bytes.NewReader(b), layer.ReadOptions{})
		if err == nil {
			t, err = compose.Patch(ctx, t, cs)
		}
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", n+1, err)
		}
	}
	return treetest.List(t), nil
}

// long gives how many generated cases a test looks at: few, or with INLAY_LONG=1
// many.
func long(few, many int) int {
	if os.Getenv("INLAY_LONG") != "" {
		return many
	}
	return few
}

// ruleDifference tells how what a stack is read as differs from what the rules
// say; "" if it does not.
func ruleDifference(ctx context.Context, s treetest.Stack) string {
	want, wantErr := s.Apply()
	got, err := composed(ctx, s)
	switch {
	case wantErr != nil && err != nil:
		return ""
	case wantErr != nil || err != nil:
		return fmt.Sprintf("the rules say %v, got %v", wantErr, err)
	}
	return treetest.Differences(got, want)
}

func isReadAsTheRulesSay(t *testing.T, s treetest.Stack) {
	t.Helper()
	if d := ruleDifference(t.Context(), s); d != "" {
		small := treetest.ShrinkStack(s, func(s treetest.Stack) bool { return ruleDifference(t.Context(), s) != "" })
		t.Fatalf("%s\n%s", small.Test("isReadAsTheRulesSay"), ruleDifference(t.Context(), small))
	}
}

// What layers are read as and applied to is what the rules say, whatever the
// layers hold and in whatever order.
func TestStacksAreReadAsTheRulesSay(t *testing.T) {
	refused, layers := 0, 0
	for seed := range long(400, 20_000) {
		from := treetest.Seeded(uint64(seed))
		s := from.Stack(treetest.StackLimits{})
		below, err := s.Apply()
		if err != nil {
			t.Fatal(err)
		}
		over := from.Layer(below, treetest.StackLimits{}) // may not fit
		if _, err := over.On(below); err != nil {
			refused++
			isReadAsTheRulesSay(t, s)
		}
		isReadAsTheRulesSay(t, append(s, over))
		layers += len(s) + 1
	}
	t.Logf("%d layers; %d were refused", layers, refused)
}

// Whatever stack a fuzzer makes is read as the rules say.
func FuzzStack(f *testing.F) {
	for seed := range byte(8) {
		f.Add(bytes.Repeat([]byte{seed, 3, 7 * seed, 11}, 40))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		isReadAsTheRulesSay(t, treetest.FromBytes(b).Stack(treetest.StackLimits{}))
	})
}
