package treetest_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// The text form of a generated stack is read as the same stack.
func TestTheTextOfAStackIsReadAsTheStack(t *testing.T) {
	for seed := range uint64(300) {
		s := treetest.Seeded(seed).Stack(treetest.StackLimits{})
		again, err := treetest.ParseStack(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != again.String() {
			t.Fatalf("%s\nwas read as\n%s", s, again)
		}
		want, err := s.Apply()
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Apply()
		if err != nil {
			t.Fatal(err)
		}
		if d := treetest.Differences(got, want); d != "" {
			t.Fatalf("%s\n%s", s, d)
		}
	}
}

// A stack that fails is made as small as what it fails for.
func TestAStackIsShrunkToWhatMatters(t *testing.T) {
	fails := func(s treetest.Stack) bool {
		got, err := s.Apply()
		return err == nil && got.Find("/usr/bin/sh") != nil
	}
	for seed := range uint64(300) {
		if s := treetest.Seeded(seed).Stack(treetest.StackLimits{}); fails(s) {
			want := "-- layer --\nusr/bin/sh = sh\n"
			if got := treetest.ShrinkStack(s, fails).String(); got != want {
				t.Errorf("got\n%s", got)
			}
			return
		}
	}
	t.Fatal("no stack has what is looked for")
}
