package peers

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// peerCase draws a copy into a directory that is there: of what a directory
// holds, or of up to three things that are not directories.
func peerCase(seed uint64, overlay bool) treetest.Case {
	s := treetest.Seeded(seed)
	c := s.CopyCase(treetest.Limits{Disk: true})
	c.Options = treetest.Options{KeepLink: true, Overlay: overlay}
	_, to := c.From()
	j, err := newJob(c)
	if err != nil || !j.intoDir || encounters(j).links > tree.MaxLinks/2 {
		to = "/"
	}
	to = path.Clean("/" + to) // which a peer leaves to the kernel
	var files []string
	if seed%3 == 0 {
		for _, i := range c.Src {
			if i.Kind != tree.KindDirectory && len(files) < 3 && !strings.ContainsAny(i.Path, `*?[\`) {
				files = append(files, strings.TrimPrefix(i.Path, "/"))
			}
		}
	}
	if len(files) == 0 {
		c.Verb, c.Args = "directory", []string{to}
		return c
	}
	c.Verb, c.Args = "copy", append(files, strings.TrimRight(to, "/")+"/")
	return c
}

// disagreement tells in what a peer and compose differ over a case whose entries
// are all ones that the peer treats as we do.
func (w workshop) disagreement(p peer, c treetest.Case) string {
	if len(c.Args) < 1 || c.Verb == "copy" && len(c.Args) < 2 {
		return ""
	}
	j, err := newJob(c)
	ours, _ := c.Run(context.Background())
	if err != nil || !j.intoDir || ours.Failure != "" {
		return ""
	}
	got, err := w.run(p, c)
	if err != nil {
		return fmt.Sprintf("%s: %v", p.name, err)
	}
	got = forgive(encounters(j), got, ours.Tree)
	if what := treetest.Differences(ours.Tree, got); what != "" {
		return fmt.Sprintf("- is what %s made:\n%s", p.name, what)
	}
	return ""
}

// tally is what came of comparing with one peer.
type tally struct {
	cases, entries int
	left           map[string]int
}

func (w workshop) compare(p peer, seeds []uint64, until time.Time) (tally, string) {
	t := tally{left: map[string]int{}}
	for _, seed := range seeds {
		if time.Now().After(until) {
			break
		}
		c := peerCase(seed, p.name != "cp" && seed%4 == 0)
		c, err := p.leaveOut(c, t.left)
		if err != nil {
			return t, err.Error()
		}
		broken := func(c treetest.Case) string {
			if c, err = p.leaveOut(c, map[string]int{}); err != nil {
				return ""
			}
			return w.disagreement(p, c)
		}
		if w.disagreement(p, c) != "" {
			c = treetest.Shrink(c, func(c treetest.Case) bool { return broken(c) != "" })
			return t, broken(c) + "\n" + c.String()
		}
		t.cases++
		t.entries += len(c.Src)
	}
	return t, ""
}

// Where a peer has a meaning for a copy and documents no other one, it makes
// what we make: of every copy, whatever the peer treats in its own way is left
// out, and all the rest is compared in full.
func TestCopyIsWhatOtherProgramsMakeWhereTheyMeanTheSame(t *testing.T) {
	if !treetest.Root() {
		t.Skip("mounts, chroot, owners and trusted attributes need root")
	}
	cases, budget := uint64(400), 15*time.Second
	if os.Getenv("INLAY_LONG") != "" {
		cases, budget = 20_000, 20*time.Minute
	}
	until := time.Now().Add(budget)
	var wg sync.WaitGroup
	for _, p := range []peer{peerCp, peerRsync, peerTar} {
		if _, err := exec.LookPath(p.name); err != nil {
			t.Logf("%s is missing: apt-get install %s", p.name, p.name)
			continue
		}
		wg.Go(func() {
			err := treetest.Apart(func(dir string) error {
				w, err := newWorkshop(dir, p.name)
				if err != nil {
					return err
				}
				seeds := make([]uint64, cases)
				for n := range seeds {
					seeds[n] = uint64(n) + 1
				}
				tally, wrong := w.compare(p, seeds, until)
				said := fmt.Sprintf("%s: %d copies of %d entries are the same; entries left out:", p.name, tally.cases, tally.entries)
				for _, why := range slices.Sorted(maps.Keys(tally.left)) {
					said += fmt.Sprintf("\n%6d  %s", tally.left[why], why)
				}
				t.Log(said)
				switch {
				case wrong != "":
					t.Error(wrong)
				case tally.cases < 20:
					t.Errorf("%s: too few copies to mean anything", p.name)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
