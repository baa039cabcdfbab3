package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// judge is the program of tools/buildkit/judge, which does cases by a daemon. Its
// types are written out there.
type judge struct {
	command *exec.Cmd
	in      io.WriteCloser
	mu      sync.Mutex // of what follows, and of writing
	next    int
	waiting map[int]chan answer
}

type (
	batch struct {
		ID    int
		Trees []string
		Cases []question
	}
	question struct {
		Op         string
		Trees      []int
		Dockerfile []byte
	}
	answer struct {
		ID      int
		Error   string
		Results []result
	}
	result struct{ Tree, Error string }
)

// verdict is what BuildKit makes of a case: a tree, or what it says of why not.
type verdict struct {
	tree    treetest.Listing
	refusal string
}

// task is a thing to do with trees.
type task struct {
	op         string // dockerfile, merge, diff or none
	trees      []treetest.Listing
	dockerfile string
}

// batchSize is how many cases go over at once. All their trees are written by one
// container, and all results are listed by one.
const batchSize = 48

func startJudge(d *daemon) (*judge, error) {
	dir := filepath.Join(d.Dir, "inside")
	build := exec.Command("go", "build", "-o", dir+"/", "./inside")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./inside: %w\n%s", err, out)
	}
	j := &judge{waiting: map[int]chan answer{}}
	j.command = exec.Command(filepath.Join(d.Bin, "judge"), d.Address, dir)
	j.command.Stderr = os.Stderr
	j.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if j.in, err = j.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := j.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := j.command.Start(); err != nil {
		return nil, err
	}
	go j.listen(json.NewDecoder(out))
	return j, nil
}

// listen hands out answers until there are no more.
func (j *judge) listen(d *json.Decoder) {
	for {
		var a answer
		err := d.Decode(&a)
		j.mu.Lock()
		if err != nil {
			for id, c := range j.waiting {
				c <- answer{ID: id, Error: "the judge is gone: " + err.Error()}
			}
			j.waiting = nil
			j.mu.Unlock()
			return
		}
		c := j.waiting[a.ID]
		delete(j.waiting, a.ID)
		j.mu.Unlock()
		c <- a
	}
}

func (j *judge) close() {
	j.in.Close()
	j.command.Wait()
}

// ask has tasks done.
func (j *judge) ask(tasks []task) ([]verdict, error) {
	verdicts := make([]verdict, len(tasks))
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for n := 0; n < len(tasks); n += batchSize {
		wg.Go(func() {
			some := tasks[n:min(n+batchSize, len(tasks))]
			var v []verdict
			v, errs[n] = j.askOnce(some)
			copy(verdicts[n:], v)
		})
	}
	wg.Wait()
	return verdicts, errors.Join(errs...)
}

// askOnce has a batch of tasks done. The judge works on two at a time.
func (j *judge) askOnce(tasks []task) ([]verdict, error) {
	b := batch{}
	for _, t := range tasks {
		q := question{Op: t.op, Dockerfile: []byte(t.dockerfile)}
		for _, l := range t.trees {
			q.Trees = append(q.Trees, len(b.Trees))
			b.Trees = append(b.Trees, l.String())
		}
		b.Cases = append(b.Cases, q)
	}
	c := make(chan answer, 1)
	j.mu.Lock()
	if j.waiting == nil {
		j.mu.Unlock()
		return nil, errors.New("the judge is gone")
	}
	j.next++
	b.ID = j.next
	j.waiting[b.ID] = c
	err := json.NewEncoder(j.in).Encode(b)
	j.mu.Unlock()
	if err != nil {
		return nil, err
	}
	a := <-c
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	verdicts := make([]verdict, len(tasks))
	for n, r := range a.Results {
		verdicts[n].refusal = r.Error
		if r.Error != "" {
			continue
		}
		l, err := treetest.Parse(r.Tree)
		if err != nil {
			return nil, fmt.Errorf("what the judge lists: %w", err)
		}
		verdicts[n].tree = l
	}
	return verdicts, nil
}
