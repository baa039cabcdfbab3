package peers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// outcome tells what a peer makes of a case, in words of outcomes.
func (w workshop) outcome(p peer, c treetest.Case) (string, error) {
	ours, _ := c.Run(context.Background())
	got, err := w.run(p, c)
	var program *errProgram
	switch {
	case errors.Is(err, errHangs):
		return hangs, nil
	case errors.Is(err, errNotPossible):
		return notPossible, nil
	case errors.As(err, &program) && ours.Failure != "":
		return same, nil
	case errors.As(err, &program):
		return "error: " + program.said, nil
	case err != nil:
		return "", err
	}
	if ours.Failure == "" && withoutNow(got, ours.Tree).Equal(ours.Tree) {
		return same, nil
	}
	return treetest.Brief(c.Dst, withoutNow(got, c.Dst)), nil
}

// allOutcomes gives what a peer makes of all cases. It has more time for those
// that it is not known to hang over.
func (w workshop) allOutcomes(p peer, cases []treetest.Numbered, known outcomes) (map[int]string, error) {
	if err := w.allowNull(cases); err != nil {
		return nil, err
	}
	out := map[int]string{}
	for _, c := range cases {
		if to := c.Verb; to != "copy" && to != "file" && to != "directory" {
			out[c.Number] = notPossible
			continue
		}
		w.wait = 20 * time.Second
		if known.get(c.Number) == hangs {
			w.wait = time.Second
		}
		what, err := w.outcome(p, c.Case)
		if err != nil {
			return nil, fmt.Errorf("case %d: %w", c.Number, err)
		}
		out[c.Number] = what
	}
	return out, nil
}

// allowNull lets programs open devices, of which the destinations of the cases
// must have none but /dev/null.
func (w workshop) allowNull(cases []treetest.Numbered) error {
	for _, c := range cases {
		for _, i := range c.Dst {
			if isDevice(i.Kind) && (i.Kind != tree.KindCharDevice || i.Major != 1 || i.Minor != 3) {
				return fmt.Errorf("case %d: %s is not to be written to", c.Number, i)
			}
		}
	}
	return unix.Mount("", w.dir, "", unix.MS_REMOUNT, "mode=0755")
}

// version gives the first line of what a program says of its version.
func version(p peer) (string, error) {
	out, err := exec.Command(p.name, "--version").Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.Join(strings.Fields(strings.Replace(line, " version", "", 1)), " "), err
}

// The files of docs/outcomes for cp, rsync and tar are what these programs make
// of the cases. Other versions may differ, and are not held to it.
// With $INLAY_UPDATE the files are written.
func TestTheOutcomesOfOtherProgramsAreAsWrittenDown(t *testing.T) {
	if !treetest.Root() {
		t.Skip("mounts, chroot, owners and trusted attributes need root")
	}
	cases, err := numbered()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []peer{peerCp, peerRsync, peerTar} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			v, err := version(p)
			if err != nil {
				t.Skipf("%s is missing: apt-get install %s", p.name, p.name)
			}
			was, err := readOutcomes(p.name)
			if err != nil {
				t.Fatal(err)
			}
			now := outcomes{head: v + ": " + p.asked + "; in a chroot"}
			update := os.Getenv("INLAY_UPDATE") != ""
			if !update && was.head != now.head {
				t.Skipf("what is written down is of %q, this is %q", was.head, now.head)
			}
			if err := treetest.Apart(func(dir string) error {
				w, err := newWorkshop(dir, p.name)
				if err != nil {
					return err
				}
				now.of, err = w.allOutcomes(p, cases, was)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if update {
				if err := now.write(p.name); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, n := range slices.Sorted(maps.Keys(now.of)) {
				if now.of[n] != was.of[n] {
					t.Errorf("case %d: %q, written down is %q; INLAY_UPDATE=1 writes it", n, now.of[n], was.of[n])
				}
			}
		})
	}
}
